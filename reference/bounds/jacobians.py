"""How much of the past reaches the present: the norm of d h_T / d h_{T-k}, the product of k Jacobians (clause 11.9).

All norms here are Frobenius norms, sqrt(sum of squares), and those of U alone are spectral norms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import REFERENCE_ROUNDOFF, SLACK, Precision, gamma, joint_gamma
from rnn_conformance.reference.bounds.gradients import slope_error
from rnn_conformance.reference.bounds.steps import Expected, Steps
from rnn_conformance.reference.cells.simple_rnn import simple_rnn
from rnn_conformance.reference.layers.gradients import SLOPES
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights


@ignoring_flags
def norm(array: Array) -> float:
    """The square root of the sum of all squares, also where the squares would underflow."""
    largest = float(np.abs(array).max(initial=0))
    return largest * float(np.linalg.norm(array / largest)) if 0 < largest < math.inf else largest


@ignoring_flags
def jacobian_norms(layer: Layer, weights: LayerWeights, inputs: Array, lags: Sequence[int]) -> Array:
    """The norm of d h_T / d h_{T-k} for each lag k, of one sequence (timesteps, features) run from zeros.

    Each timestep's Jacobian is diag(f'(z_t)) U. Raises ValueError for a lag that is longer than the sequence.
    """
    timesteps = len(inputs)
    if max(lags) > timesteps or min(lags) < 0:
        raise ValueError(f"lags {list(lags)} do not fit a sequence of {timesteps} timesteps")
    slopes = SLOPES[layer.cell.activation](simple_rnn(inputs[np.newaxis], weights.named, layer.cell.activation)[0])
    jacobian = np.eye(layer.units)
    norms = [norm(jacobian)]
    for k in range(1, max(lags) + 1):
        jacobian = (jacobian * slopes[timesteps - k]) @ weights.U
        norms.append(norm(jacobian))
    return np.array(norms)[list(lags)]


@ignoring_flags
def expected_jacobian_norm(
    layer: Layer,
    weights: LayerWeights,
    inputs: Array,
    initial: Array,
    precision: Precision,
) -> Expected:
    """What the norm of d h_k / d h_0 should be, as one number, for the k timesteps of `inputs` (k, features).

    A subject finds that Jacobian as the gradient of its initial state: `units` times the same sequence as a batch, all
    from the state `initial` (units,), the cotangent of the last output of sequence i being row i of the identity. All
    arrays are float64. The bound does not use the absolute values of U but its norm (BOUNDS.md, section 9).
    """
    timesteps, units, tiny = len(inputs), layer.units, precision.tiny
    h, h_error = _forward(layer, weights, inputs, initial, precision)
    precision = precision.without_wider_sums()
    slopes = SLOPES[layer.cell.activation](h)
    off = slope_error(layer.cell.activation, Expected(h, h_error, h), precision) + 3 * tiny
    n = units + 3
    rounding = joint_gamma(precision, n)
    abs_U, norm_U = np.abs(weights.U), np.linalg.norm(weights.U, 2)
    of_products = rounding * np.linalg.norm(weights.U) + (1 + rounding) * units * tiny

    d_h, error = np.eye(units), 0.0
    made = np.zeros(timesteps)  # the error that each step made, the last timestep first
    since = np.zeros((timesteps, units, units))  # the product of the Jacobians through which it has passed since
    for k, t in enumerate(reversed(range(timesteps))):
        steepness = slopes[t] + off[t]
        d_z = d_h * slopes[t]
        z_error = norm(off[t] * np.abs(d_h) + (3 + steepness) * tiny) + off[t].max() * error
        size = np.abs(d_z) @ abs_U
        lost = (1 + rounding) * tiny * (2 * n + abs_U.sum(0) + np.abs(d_z).sum(-1, keepdims=True))
        rounded = norm(rounding * size + lost) + of_products * (steepness.max() * error + z_error)

        since[:k] = since[:k] @ (slopes[t][:, np.newaxis] * weights.U)
        passed_on = made[:k] @ np.linalg.norm(since[:k], axis=(1, 2))
        made[k], since[k] = norm_U * z_error + rounded, np.eye(units)
        error = float(made[k] + 2 * passed_on) * SLACK
        d_h = d_z @ weights.U
        if not size.max() + error < precision.largest:
            error = math.inf
    value = norm(d_h)
    own = gamma(units * units + 2, REFERENCE_ROUNDOFF) * value  # of the norm itself, computed in float64
    return Expected(np.asarray(value), np.asarray(error + own), np.zeros(()))


def _forward(
    layer: Layer, weights: LayerWeights, inputs: Array, initial: Array, precision: Precision
) -> tuple[Array, Array]:
    """The reference's h (timesteps, units), and how far the subject's may have come away from it."""
    x, start = inputs[np.newaxis], initial[np.newaxis]
    h = simple_rnn(x, weights.named, layer.cell.activation, start)
    before = np.concatenate([start[:, np.newaxis], h[:, :-1]], axis=1)
    step = Steps(layer, weights, x, None, precision)
    z, radius = (step.projected + before @ step.U_T)[0], step.radius(before, step.size(before))[0]
    result = step.result(np.abs(h[0]))
    rows = np.linalg.norm(weights.U, axis=1) * (1 + step.subject_gamma) + layer.units * precision.tiny
    carried = _carried(weights.U, step.subject_gamma, precision.tiny)

    errors, error = np.empty_like(h[0]), 0.0
    for t, of_h in enumerate(errors):
        reach = radius[t] + rows * error
        slope = step.activation.slope(z[t], reach)
        of_h[:] = step.growth * step.spread(z[t], reach) + result[t]
        own = norm(step.growth * slope * radius[t] + result[t])
        error = min(norm(of_h), (step.growth * slope.max() * carried * error + own) * SLACK)
        np.minimum(of_h, error, out=of_h)
    return h[0], errors


def _carried(U: Array, rounding: float, tiny: float) -> float:
    """By how much U, multiplied by a subject, may make the norm of an error grow."""
    return float(np.linalg.norm(U, 2) + rounding * np.linalg.norm(U) + U.size * tiny) * SLACK
