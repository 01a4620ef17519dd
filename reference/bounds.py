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

Array = NDArray[np.floating]

_FLOAT64_ROUNDOFF = float(np.finfo(np.float64).eps) / 2
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

    The weights and inputs are those of `propagated_bound`. The bound does not grow with time.
    """
    first = np.zeros_like(outputs[:, 0]) if initial is None else initial
    previous = np.concatenate([first[:, np.newaxis], outputs[:, :-1]], axis=1)
    step = _Step(layer, weights, precision)
    return step.bound(*step.project(inputs, inputs_error), previous, None)


def propagated_bound(
    layer: Layer,
    weights: LayerWeights,
    inputs: Array,
    initial: Array | None,
    precision: Precision,
    inputs_error: Array | None = None,
) -> Expected:
    """The reference's outputs, and how far a subject's may have come away from them by each timestep.

    All arrays are float64. `inputs` is (batch, timesteps, features), and `inputs_error`, of the same shape, says how far
    the subject's inputs may lie from them: zero (None) for the first layer, the bound of the layer below for the others.
    `initial` is (batch, units).
    """
    step = _Step(layer, weights, precision)
    z, magnitude, error = step.project(inputs, inputs_error)
    h = np.zeros((len(inputs), layer.units)) if initial is None else initial
    h_error: Array | None = None
    steps = []
    for t in range(inputs.shape[1]):
        at_t = step.bound(z[:, t], magnitude[:, t], None if error is None else error[:, t], h, h_error)
        h, h_error = at_t.value, at_t.bound
        steps.append(at_t)
    return Expected(
        np.stack([s.value for s in steps], axis=1),
        np.stack([s.bound for s in steps], axis=1),
        np.stack([s.without_recurrence for s in steps], axis=1),
    )


class _Step:
    """What every timestep of one layer shares: the kernels, their magnitudes and the rounding constants."""

    def __init__(self, layer: Layer, weights: LayerWeights, precision: Precision) -> None:
        self.activation = ACTIVATIONS[layer.activation]
        self.precision = precision
        self.W_T, self.U_T, self.b = weights.W.T, weights.U.T, 0.0 if weights.b is None else weights.b
        self.abs_W_T, self.abs_U_T = np.abs(self.W_T), np.abs(self.U_T)
        n = layer.features + layer.units + 3
        self.subject_gamma = gamma(n, precision.unit_roundoff)
        self.gamma = self.subject_gamma + gamma(n, _FLOAT64_ROUNDOFF)
        self.underflow = precision.tiny * (n + self.abs_W_T.sum(0) + self.abs_U_T.sum(0))
        self.ulps = precision.ulps.get(layer.activation, self.activation.ulps)

    def project(self, x: Array, x_error: Array | None) -> tuple[Array, Array, Array | None]:
        """W x + b, its magnitude |W||x| + |b|, and |W| x_error, for all timesteps in one product each."""
        z = x @ self.W_T + self.b
        magnitude = np.abs(x) @ self.abs_W_T + np.abs(self.b)
        return z, magnitude, None if x_error is None else x_error @ self.abs_W_T

    def bound(self, z: Array, magnitude: Array, error: Array | None, h: Array, h_error: Array | None) -> Expected:
        """One step of BOUNDS.md, section 3, from the projected input and the previous output."""
        f = self.activation
        without_recurrence = z
        z = z + h @ self.U_T
        radius = self.gamma * (magnitude + np.abs(h) @ self.abs_U_T) + self.underflow
        if h_error is not None:
            carried = h_error @ self.abs_U_T
            error = carried if error is None else error + carried
        if error is not None:
            radius += (1 + self.subject_gamma) * error
        value = f.function(z)
        spread = np.minimum(f.slope(z, radius) * radius, f.high - f.low)
        bound = spread + self.precision.tiny
        if self.ulps:
            bound += self.ulps * ulp(np.abs(value) + spread, self.precision.dtype)
            bound += f.reference_ulps * ulp(value, "float64")
        return Expected(value, bound * _SLACK, f.function(without_recurrence))
