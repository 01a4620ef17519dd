"""How far right weights may lie from the exact ones after a step of gradient descent (BOUNDS.md, section 8)."""

from __future__ import annotations

import numpy as np

from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.bounds.cotangents import Cotangent, finite, rounded
from rnn_conformance.reference.bounds.gradients import expected_gradients
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Array, Weights


@ignoring_flags
def expected_step(
    architecture: Architecture,
    weights: Weights,
    inputs: Array,
    targets: Array,
    rate: float,
    precision: Precision,
) -> dict[str, Expected]:
    """What each array of a model's weights should be after one step at this rate on the mean squared error, by name.

    The model returns sequences, reads no tokens and masks nothing. `weights` are in float64, `inputs` (batch,
    timesteps, features) and `targets` (batch, timesteps, width) as the subject gets them. `without_recurrence` is what
    the weights were before.
    """
    x: Array = inputs.astype(np.float64)
    error: Array | None = None
    for layer, kept in zip(architecture.layers, weights.layers, strict=True):
        outputs = expected_layer(layer, kept, x, None, precision, inputs_error=error).outputs
        x, error = outputs.value, outputs.bound
    assert error is not None  # there is a layer
    share = 2 / x.size
    size = share * (np.abs(x) + error + np.abs(targets))
    d_outputs = rounded(Cotangent(share * (x - targets), share * error, size), 4, precision)
    slope = expected_gradients(
        architecture,
        weights,
        inputs,
        Output(d_outputs.value),
        None,
        precision,
        outputs_error=d_outputs.error,
    )
    found = {}
    for name, before in weights.arrays():
        g = slope[name]
        moved = Cotangent(before - rate * g.value, rate * g.bound, np.abs(before) + rate * (np.abs(g.value) + g.bound))
        moved = rounded(moved, 3, precision.without_wider_sums())
        found[name] = Expected(moved.value, finite(moved, precision), before)
    return found
