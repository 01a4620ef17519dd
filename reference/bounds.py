"""How far a right answer may lie from the exact one: the step residual and the propagated bound (BOUNDS.md).

Both are the same bound of one step. The step residual starts it from the subject's own previous output, which is known
exactly; the propagated bound starts it from the reference's, and carries along how far the subject's may differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.activations import ACTIVATIONS
from rnn_conformance.reference.architecture import Layer, LayerWeights
from rnn_conformance.reference.rounding import Precision, gamma, ulp
from rnn_conformance.reference.simple_rnn import simple_rnn

Array = NDArray[np.floating]

_ROUNDOFF = float(np.finfo(np.float64).eps) / 2  # of the reference itself
_SLACK = 1 + 2.0**-30
"""The bounds are themselves computed in float64, with a relative error far below this."""


@dataclass(frozen=True, eq=False)
class Expected:
    """What a subject should return: `value`, each element give or take `bound`, both (batch, timesteps, units).

    `without_recurrence` is what the value would be without the term U h_{t-1}: where it differs by more than the
    bound, the case can tell a right recurrence from a wrong one.
    """

    value: Array
    bound: Array
    without_recurrence: Array

    def last(self) -> Expected:
        """The same at the last timestep only, (batch, units)."""
        return Expected(self.value[:, -1], self.bound[:, -1], self.without_recurrence[:, -1])


def step_residual(
    layer: Layer,
    weights: LayerWeights,
    inputs: Array,
    outputs: Array,
    initial: Array | None,
    precision: Precision,
    inputs_error: Array | None = None,
) -> Expected:
    """Whether each of a subject's outputs (batch, timesteps, units) follows from its own output one timestep earlier.

    The other arguments are those of `propagated_bound`. The bound does not grow with time.
    """
    previous = _one_step_later(outputs, initial)
    step = _Steps(layer, weights, inputs, inputs_error, precision)
    z = step.projected + previous @ step.U_T
    radius = step.radius(previous)
    value = step.activation.function(z)
    spread = step.spread(z, radius)
    bound = spread + step.reference_error * np.abs(value) + precision.tiny
    if step.ulps:
        bound += step.ulps * ulp((np.abs(value) + spread) * _SLACK, precision.dtype)
    return Expected(value, bound * _SLACK, step.without_recurrence())


def propagated_bound(
    layer: Layer,
    weights: LayerWeights,
    inputs: Array,
    initial: Array | None,
    precision: Precision,
    inputs_error: Array | None = None,
) -> Expected:
    """The reference's outputs, and how far a subject's may have come away from them by each timestep.

    All arrays are float64. `inputs` is (batch, timesteps, features), and `inputs_error`, of the same shape, says how
    far the subject's inputs may lie from them: zero (None) for the first layer, the bound of the layer below for the
    others. `initial` is (batch, units).
    """
    step = _Steps(layer, weights, inputs, inputs_error, precision)
    value = simple_rnn(inputs, weights, layer.activation, initial)
    previous = _one_step_later(value, initial)
    z = step.projected + previous @ step.U_T
    radius = step.radius(previous)
    subject_error = step.ulps * float(np.finfo(precision.dtype).eps)  # ulp(y) <= eps |y|
    rounding = ((subject_error + step.reference_error) * np.abs(value) + precision.tiny) * _SLACK
    growth = (1 + subject_error) * _SLACK
    carried = (1 + step.subject_gamma) * step.abs_U_T
    bound = np.empty_like(value)
    by_time = (array.swapaxes(0, 1) for array in (z, radius, rounding, bound))
    before = None
    with np.errstate(over="ignore"):  # the bound of a long, growing relu or linear layer may end in inf
        for z_t, radius_t, rounding_t, bound_t in zip(*by_time, strict=True):
            if before is not None:
                radius_t += before @ carried
            np.multiply(growth, step.spread(z_t, radius_t), out=bound_t)
            bound_t += rounding_t
            before = bound_t
    return Expected(value, bound, step.without_recurrence())


def _one_step_later(outputs: Array, initial: Array | None) -> Array:
    """h_0 ... h_{T-1} where `outputs` are h_1 ... h_T."""
    previous = np.empty_like(outputs)
    previous[:, 0] = 0 if initial is None else initial
    previous[:, 1:] = outputs[:, :-1]
    return previous


class _Steps:
    """What both instruments share: the projected input of every timestep, its magnitude, the rounding constants."""

    def __init__(
        self, layer: Layer, weights: LayerWeights, x: Array, x_error: Array | None, precision: Precision
    ) -> None:
        self.activation = ACTIVATIONS[layer.activation]
        self.ulps = precision.ulps.get(layer.activation, self.activation.ulps)
        self.reference_error = self.activation.reference_ulps * 2 * _ROUNDOFF
        W_T, self.U_T = weights.W.T, weights.U.T
        # A subnormal weight may be read as zero: `tiny` stands for what is then lost on the error of x and of h.
        abs_W_T, self.abs_U_T = np.abs(W_T) + precision.tiny, np.abs(self.U_T) + precision.tiny
        n = layer.features + layer.units + 3
        self.subject_gamma = gamma(n, precision.unit_roundoff)
        self.gamma = self.subject_gamma + gamma(n, _ROUNDOFF)
        self.projected = x @ W_T
        self.magnitude = np.abs(x) @ abs_W_T
        if weights.b is not None:
            self.projected += weights.b
            self.magnitude += np.abs(weights.b)
        self.underflow = (1 + self.subject_gamma) * precision.tiny
        lost = 2 * n + abs_W_T.sum(0) + self.abs_U_T.sum(0) + np.abs(x).sum(-1, keepdims=True)
        self.fixed_radius = self.underflow * lost
        if x_error is not None:
            self.fixed_radius += (1 + self.subject_gamma) * (x_error @ abs_W_T)

    def radius(self, previous: Array) -> Array:
        """How far a subject's pre-activations may lie from the exact ones, for exact previous outputs."""
        size = np.abs(previous)
        lost = self.underflow * size.sum(-1, keepdims=True)
        return self.gamma * (self.magnitude + size @ self.abs_U_T) + lost + self.fixed_radius

    def spread(self, z: Array, radius: Array) -> Array:
        """The largest change of the activation within the radius of z."""
        return np.minimum(self.activation.slope(z, radius) * radius, self.activation.high - self.activation.low)

    def without_recurrence(self) -> Array:
        return self.activation.function(self.projected)
