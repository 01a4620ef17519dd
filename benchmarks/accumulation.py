"""In what type frameworks add up half precision: errors as shares of the bounds for sums in that type and in float32.

A sum in float32 that is rounded when it is stored stays below its bound (1.00) whatever the numbers are; a sum in the
type itself goes far beyond it on numbers that are chosen for that: after terms of 1, terms of half the distance to the
next number, which each addition loses. There are so many of the first that they open every lane of a vector.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from rnn_conformance.adapters import registry
from rnn_conformance.reference.arithmetic.rounding import Precision, dtype_of, standard_precision, wider_sums
from rnn_conformance.reference.bounds.steps import step_residual
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

Run = Callable[[Array], Array]

HALF = ("float16", "bfloat16")
SIZES = ((1024, 8), (128, 128), (8, 40))  # features and units
BATCHES = (1, 5)
TIMESTEPS = 2
OPENERS = (1, 8, 32)


def patterns(n: int, dtype: str) -> Iterator[Array]:
    """Rows of n terms that lose most where they are added up in the dtype."""
    for openers in OPENERS:
        if 2 * openers <= n:
            row = np.full(n, standard_precision(dtype).eps / 2)
            row[:openers] = 1
            yield row
            yield row[::-1]


def drawn(features: int, units: int, dtype: str) -> Iterator[LayerWeights]:
    """Weights in float64 that are numbers of the dtype: patterns in W, patterns in U, and random ones."""
    zero_W, zero_U = np.zeros((units, features)), np.zeros((units, units))
    for row in patterns(features, dtype):
        yield LayerWeights({"W": np.tile(row, (units, 1)), "U": zero_U, "b": np.zeros(units)})
    for row in patterns(units, dtype):
        # The first state is 1 in every unit; the second adds up the pattern, and the bias.
        yield LayerWeights({"W": zero_W, "U": np.tile(row, (units, 1)), "b": np.ones(units)})
    rng = np.random.default_rng(0)
    for _ in range(3):
        W, U = rng.standard_normal((units, features)), rng.standard_normal((units, units)) / (2 * units**0.5)
        plain = LayerWeights({"W": np.abs(W), "U": U, "b": W[:, 0]})
        yield plain.map(lambda array: array.astype(dtype_of(dtype)).astype(np.float64))


def added_in(type_of_sums: Any, dtype: str, weights: LayerWeights) -> Run:
    """A layer in NumPy that adds term after term in the given type, to know what the measurement can show."""

    def run(x: Array) -> Array:
        h = np.zeros((len(x), len(weights.U)), dtype_of(dtype))
        outputs = []
        for t in range(x.shape[1]):
            terms = [x[:, t, np.newaxis] * weights.W, h[:, np.newaxis] * weights.U]
            sums = [np.cumsum(each.astype(type_of_sums), -1, dtype=type_of_sums)[..., -1] for each in terms]
            h = np.maximum(sums[0] + sums[1] + weights.b.astype(type_of_sums), 0).astype(dtype_of(dtype))
            outputs.append(h)
        return np.stack(outputs, axis=1)

    return run


def shares(run: Run, architecture: Architecture, weights: LayerWeights, batch: int) -> tuple[float, float]:
    """The largest error as a share of the bound for sums in the dtype, and of that for sums in float32."""
    (layer,), dtype = architecture.layers, architecture.dtype
    x = np.ones((batch, TIMESTEPS, layer.features), dtype_of(dtype))
    outputs = run(x).astype(np.float64)

    def share(precision: Precision) -> float:
        expected = step_residual(layer, weights, x.astype(np.float64), outputs, None, precision)
        return float((np.abs(outputs - expected.value) / expected.bound).max())

    return share(standard_precision(dtype)), share(wider_sums(dtype))


def measured(adapter: Any, model: Architecture) -> Iterator[tuple[float, float]]:
    """The shares of every size, batch and set of weights, each on a network of the adapter."""
    kept = dtype_of(model.weights_dtype or model.dtype)
    for (features, units), batch in product(SIZES, BATCHES):
        one = replace(model, layers=(Layer(features, units, SimpleRnn("relu")),), batch=batch, timesteps=TIMESTEPS)
        network = adapter.prepare(one)
        for weights in drawn(features, units, one.dtype):
            network.load(Weights((weights.map(lambda array: array.astype(kept)),)))
            yield shares(lambda x, network=network: network.run(x).outputs, one, weights, batch)


def measure(name: str) -> None:
    """Every mode of an adapter, and mixed precision in the first of them."""
    adapter = registry.load(name)
    description = adapter.describe()
    for dtype in (dtype for dtype in HALF if not description.lacks(dtype)):
        model = Architecture((Layer(1, 1, SimpleRnn("relu")),), dtype=dtype)
        models = {mode: replace(model, mode=mode) for mode in description.modes}
        if not description.lacks("mixed precision"):
            models["mixed precision"] = replace(model, mode=description.modes[0], weights_dtype="float32")
        for how, one in models.items():
            try:
                report(name, how, dtype, measured(adapter, one))
            except Exception as error:  # a framework may fail in one mode: that is for the checks to say
                print(f"| {name} | {how} | {dtype} | {type(error).__name__} | |", flush=True)


def control() -> None:
    """NumPy loops of both kinds: what the two columns are where it is known how sums are formed."""
    for dtype, type_of_sums in product(HALF, ("the type", "float32")):
        found = []
        for features, units in ((1024, 8), (8, 40)):
            model = Architecture((Layer(features, units, SimpleRnn("relu")),), dtype=dtype)
            for weights in drawn(features, units, dtype):
                run = added_in(dtype_of(dtype if type_of_sums == "the type" else "float32"), dtype, weights)
                found.append(shares(run, model, weights, 1))
        report("a NumPy loop", f"sums in {type_of_sums}", dtype, found)


def report(name: str, how: str, dtype: str, found: Iterable[tuple[float, float]]) -> None:
    in_dtype, in_float32 = (max(column) for column in zip(*found, strict=True))
    print(f"| {name} | {how} | {dtype} | {in_dtype:.2f} | {in_float32:.2f} |", flush=True)


if __name__ == "__main__":
    print("| backend | mode | type | share, sums in the type | share, sums in float32 |")
    print("|---|---|---|---|---|")
    control()
    for given in sys.argv[1:]:
        measure(given)
