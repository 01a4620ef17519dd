"""How sharp the bounds of gradients are: as a share of the gradient, by sums of absolute values and to first order.

A layer as frameworks initialise it, in float32; each row is the median over some layers. The error is that of
backpropagation in NumPy in float32.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from unittest.mock import patch

import numpy as np

from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.bounds import adjoints, first_order
from rnn_conformance.reference.bounds.gradients import expected_gradients
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, in_float64

SIZES = ((8, 30), (32, 30), (32, 60), (128, 100))  # units and timesteps
LAYERS = 5


def drawn(units: int, timesteps: int, seed: int) -> tuple[Weights, Array, Array]:
    """Weights, inputs (1, timesteps, units) and the cotangent of all outputs, in float32."""
    rng = np.random.default_rng(seed)
    most = units**-0.5
    W, U, b = (rng.uniform(-most, most, shape).astype(np.float32) for shape in ((units, units), (units, units), units))
    x, d_h = (rng.standard_normal((1, timesteps, units)).astype(np.float32) for _ in range(2))
    return Weights((LayerWeights({"W": W, "U": U, "b": b}),)), x, d_h


def measured(units: int, timesteps: int, seed: int) -> tuple[float, float, float, float]:
    """Both shares, the worst error as a share of the sharper bound, and the seconds that this bound took."""
    architecture = Architecture((Layer(units, units),))
    weights, x, d_h = drawn(units, timesteps, seed)

    def expected() -> Expected:
        wide, precision = in_float64(weights), standard_precision("float32")
        return expected_gradients(architecture, wide, x, Output(d_h), None, precision)["layers[0].U"]

    def as_they_are(recurrence: object, caps: Array) -> Array:
        return caps

    with patch.object(first_order, "carried", as_they_are), patch.object(adjoints, "carried", as_they_are):
        absolute = expected()
    start = time.perf_counter()
    sharp = expected()
    seconds = time.perf_counter() - start
    error = np.abs(gradients(architecture, weights, x, Output(d_h)).weights.layers[0].U - sharp.value)
    size = np.median(np.abs(sharp.value))
    shares = [float(np.median(each.bound) / size) for each in (absolute, sharp)]
    return shares[0], shares[1], float((error / sharp.bound).max()), seconds


def table() -> Iterator[str]:
    """A row for each size, in Markdown."""
    yield "| units, timesteps | absolute values | first order | worst error / bound | seconds |"
    yield "|---|---|---|---|---|"
    for units, timesteps in SIZES:
        figures = np.median([measured(units, timesteps, seed) for seed in range(LAYERS)], axis=0)
        yield f"| {units}, {timesteps} | {' | '.join(f'{figure:.1g}' for figure in figures)} |"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(f"{sys.argv[0]} takes no arguments")
    for row in table():
        print(row, flush=True)
