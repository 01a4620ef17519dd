"""How far a right answer may lie from the exact one: the step residual and the propagated bound (BOUNDS.md).

Both are for one direction of a layer, in the order of processing; layers.py has whole ones. Both are the same
bound of one step. The step residual starts it from the subject's own previous output, which is known
exactly; the propagated bound starts it from the reference's, and carries along how far the subject's may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import REFERENCE_ROUNDOFF, SLACK, Precision, gamma, ulp
from rnn_conformance.reference.cells.simple_rnn import simple_rnn
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights


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
        return self.each(lambda array: array[:, -1])

    def each(self, change: Callable[[Array], Array]) -> Expected:
        """The same with all three arrays changed in the same way."""
        return Expected(change(self.value), change(self.bound), change(self.without_recurrence))


@ignoring_flags
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

    The other arguments are those of `propagated_bound`. The bound does not grow with time. It is infinite after an
    output that is not finite, which is judged where it stands.
    """
    previous = one_step_later(outputs, initial)
    finite = np.isfinite(previous)
    if not finite.all():
        previous = np.where(finite, previous, 0)
    step = Steps(layer, weights, inputs, inputs_error, precision)
    z = step.projected + previous @ step.U_T
    size = step.size(previous)
    radius = step.radius(previous, size)
    value = step.activation.function(z)
    spread = step.spread(z, radius)
    bound = spread + step.reference_error * np.abs(value) + precision.tiny
    if step.ulps:
        bound += step.ulps * ulp((np.abs(value) + spread) * SLACK, precision.dtype)
    bound *= SLACK
    bound[size + radius > precision.largest] = np.inf
    bound[~finite.all(-1)] = np.inf
    return Expected(value, bound, step.without_recurrence())


@ignoring_flags
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
    step = Steps(layer, weights, inputs, inputs_error, precision)
    value = simple_rnn(inputs, weights.named, layer.cell.activation, initial)
    previous = one_step_later(value, initial)
    z = step.projected + previous @ step.U_T
    size = step.size(previous)
    radius = step.radius(previous, size)
    rounding, growth = step.result(np.abs(value)), step.growth
    carried = (1 + step.subject_gamma) * step.abs_U_T
    bound = np.empty_like(value)
    by_time = (array.swapaxes(0, 1) for array in (z, radius, rounding, bound))
    before = None
    for z_t, radius_t, rounding_t, bound_t in zip(*by_time, strict=True):
        if before is not None:
            radius_t += before @ carried
        np.multiply(growth, step.spread(z_t, radius_t), out=bound_t)
        bound_t += rounding_t
        before = bound_t
    beyond = (size + radius > precision.largest).any(-1)
    if beyond.any():
        bound[np.logical_or.accumulate(beyond, axis=1)] = np.inf
    return Expected(value, bound, step.without_recurrence())


def one_step_later(outputs: Array, initial: Array | None) -> Array:
    """h_0 ... h_{T-1} where `outputs` are h_1 ... h_T."""
    previous = np.empty_like(outputs)
    previous[:, 0] = 0 if initial is None else initial
    previous[:, 1:] = outputs[:, :-1]
    return previous


class Steps:
    """What both instruments share: the projected input of every timestep, its magnitude, the rounding constants."""

    def __init__(
        self, layer: Layer, weights: LayerWeights, x: Array, x_error: Array | None, precision: Precision
    ) -> None:
        self.precision = precision
        self.activation = ACTIVATIONS[layer.cell.activation]
        self.ulps = precision.ulps.get(layer.cell.activation, self.activation.ulps)
        if precision.sums_are_wider:  # and the result is rounded to be stored
            self.ulps = max(self.ulps, 1)
        self.reference_error = self.activation.reference_ulps * 2 * REFERENCE_ROUNDOFF
        W_T, self.U_T = weights.W.T, weights.U.T
        # A subnormal weight may be read as zero: `tiny` stands for what is then lost on the error of x and of h.
        abs_W_T, self.abs_U_T = np.abs(W_T) + precision.tiny, np.abs(self.U_T) + precision.tiny
        n = layer.features + layer.units + 3
        self.has_no_bound = np.isinf(precision.gamma(n))
        self.subject_gamma = 0.0 if self.has_no_bound else precision.gamma(n)
        self.gamma = self.subject_gamma + gamma(n, REFERENCE_ROUNDOFF)
        self.projected = x @ W_T
        self.magnitude = np.abs(x) @ abs_W_T
        if weights.b is not None:
            self.projected += weights.b
            self.magnitude += np.abs(weights.b)
        self.underflow = (1 + self.subject_gamma) * precision.tiny
        lost = abs_W_T.sum(0) + self.abs_U_T.sum(0) + np.abs(x).sum(-1, keepdims=True)
        self.fixed_radius = self.underflow * lost + (1 + self.subject_gamma) * precision.flushed(2 * n)
        if x_error is not None:
            self.fixed_radius += (1 + self.subject_gamma) * (x_error @ abs_W_T)

    def size(self, previous: Array) -> Array:
        """M: the sum of the absolute values of all terms of each pre-activation."""
        return self.magnitude + np.abs(previous) @ self.abs_U_T

    def radius(self, previous: Array, size: Array) -> Array:
        """How far a subject's pre-activations may lie from the exact ones, for exact previous outputs."""
        if self.has_no_bound:
            return np.full_like(size, np.inf)
        return self.gamma * size + self.underflow * np.abs(previous).sum(-1, keepdims=True) + self.fixed_radius

    def spread(self, z: Array, radius: Array) -> Array:
        """The largest change of the activation within the radius of z."""
        return np.minimum(self.activation.slope(z, radius) * radius, self.activation.high - self.activation.low)

    @property
    def growth(self) -> float:
        """By how much the rounding of the result makes the spread grow: ulp(y) <= eps |y|."""
        return (1 + self.ulps * self.precision.eps) * SLACK

    def result(self, size: Array) -> Array:
        """What the activations of subject and reference lose on a result of this size, flushing included."""
        lost = self.ulps * self.precision.eps + self.reference_error
        return (lost * size + self.precision.tiny) * SLACK

    def without_recurrence(self) -> Array:
        return self.activation.function(self.projected)
