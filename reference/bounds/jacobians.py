"""How much of the past reaches the present: the norm of d s_T / d s_{T-k}, the product of k Jacobians (clause 11.9).

s is the whole state, all its parts one behind the other. All norms are Frobenius norms, sqrt(sum of squares).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import TypeVar

import numpy as np

from rnn_conformance.reference.arithmetic.bounded import Bounded, Number
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.plain import Plain, by_time
from rnn_conformance.reference.arithmetic.rounding import REFERENCE_ROUNDOFF, SLACK, Precision, gamma
from rnn_conformance.reference.arithmetic.taped import Reversible, Taped
from rnn_conformance.reference.bounds.steps import Expected, Steps
from rnn_conformance.reference.bounds.unseen import unseen_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.unrolled import unrolled
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights

N = TypeVar("N")


@ignoring_flags
def norm(array: Array) -> float:
    """The square root of the sum of all squares, also where the squares would underflow."""
    largest = float(np.abs(array).max(initial=0))
    return largest * float(np.linalg.norm(array / largest)) if 0 < largest < math.inf else largest


@ignoring_flags
def jacobian_norms(layer: Layer, weights: LayerWeights, inputs: Array, lags: Sequence[int]) -> Array:
    """The norm of d s_T / d s_{T-k} for each lag k, of one sequence (timesteps, features) run from zeros.

    Raises ValueError for a lag that is longer than the sequence.
    """
    timesteps = len(inputs)
    if max(lags) > timesteps or min(lags) < 0:
        raise ValueError(f"lags {list(lags)} do not fit a sequence of {timesteps} timesteps")
    x = inputs[np.newaxis]
    states = [by_time(part) for part in unrolled(layer.cell, weights.named, x)]
    before = [np.concatenate([np.zeros_like(part[:1]), part[:-1]]) for part in states]
    heights = [part.shape[1] for part in before]
    units, on = sum(heights), Plain(weights.named, layer.cell.gates)
    seeds = _seeds(heights, units, timesteps)
    jacobians = np.concatenate(_back(layer.cell, on, by_time(x), before, seeds), axis=1)
    product = np.eye(units)
    norms = [norm(product)]
    for k in range(1, max(lags) + 1):
        product = jacobians[timesteps - k] @ product
        norms.append(norm(product))
    return np.array(norms)[list(lags)]


@ignoring_flags
def expected_jacobian_norm(
    layer: Layer, weights: LayerWeights, inputs: Array, initial: Sequence[Array], precision: Precision
) -> Expected:
    """What the norm of d s_k / d s_0 should be, as one number, for the k timesteps of `inputs` (k, features).

    A subject finds that Jacobian as gradients of its initial state: the same sequence as a batch, once for each element
    of the state, all from `initial` (each part (units,)), the cotangent of the final state of sequence i being row i of
    the identity. All arrays are float64. Where a kernel is multiplied, the bound does not take absolute values of
    products, but norms (BOUNDS.md, section 9).
    """
    cell, named, x = layer.cell, weights.named, inputs[np.newaxis]
    start = [part[np.newaxis] for part in initial]
    states = _states(cell, named, x, start, precision)
    before = [_before(state, part) for state, part in zip(states, start, strict=True)]
    on = Bounded(named, cell.gates, precision.without_wider_sums(), sharp=False)
    heights = [part.shape[1] for part in start]
    units = sum(heights)
    # The last cotangent is zero: what comes of it is what may be lost to flushing.
    seeds = [Number(part) for part in _seeds(heights, units + 1, len(inputs))]
    found = [on.closed(part) for part in _back(cell, on, Number(by_time(x)), before, seeds)]
    jacobians = np.concatenate([part.value for part in found], axis=1)[..., :units]
    errors = np.concatenate([np.broadcast_to(part.error, part.value.shape) for part in found], axis=1)
    product, error = _product(jacobians, errors[..., :units], errors[..., units], precision.largest)
    value = norm(product)
    own = gamma(units * units + 2, REFERENCE_ROUNDOFF) * value  # of the norm itself, computed in float64
    return Expected(np.asarray(value), np.asarray(error + own), np.zeros(()))


def _product(jacobians: Array, errors: Array, flushed: Array, largest: float) -> tuple[Array, float]:
    """The product of all Jacobians, transposed, the last one first, and how far a subject may be from it, in norm."""
    timesteps, units, _ = jacobians.shape
    product, error = np.eye(units), 0.0
    made = np.zeros(timesteps)  # the error that each step made, the last timestep first
    since = np.zeros_like(jacobians)  # the product of the Jacobians through which it has passed since
    for k, t in enumerate(reversed(range(timesteps))):
        lost = norm(flushed[t]) * math.sqrt(units)
        made[k] = norm(errors[t] @ np.abs(product)) + float(np.linalg.norm(errors[t], 2)) * error + lost
        since[:k] = jacobians[t] @ since[:k]
        since[k] = np.eye(units)
        passed_on = float(made[:k] @ np.linalg.norm(since[:k], axis=(1, 2)))
        # These products are computed in float64, and may lose half of their norms at most: hence twice.
        error = float(made[k] + 2 * passed_on) * SLACK
        product = jacobians[t] @ product
        if not np.abs(product).max() + error < largest:
            error = math.inf
    return product, error


def _back(cell: Cell, on: Reversible[N], x: N, before: Sequence[N], seeds: Sequence[N]) -> list[N]:
    """What each timestep hands back to each part of the state before it, for what the parts after it are handed."""
    tape = Taped(on)
    leaves = [tape.leaf(part) for part in before]
    after = cell.step(tape, tape.leaf(cell.project(on, x)), leaves)
    found = tape.back({node: [seed] for node, seed in zip(after, seeds, strict=True)}, lambda number: number)
    return [on.closed(found[leaf]) for leaf in leaves]


def _seeds(heights: Sequence[int], count: int, timesteps: int) -> list[Array]:
    """The first `count` columns of the identity for every timestep, a block of rows for each part of the state."""
    eye = np.broadcast_to(np.eye(sum(heights), count), (timesteps, sum(heights), count))
    return np.split(eye, np.cumsum(heights)[:-1], axis=1)


def _before(state: Expected, first: Array) -> Number:
    value = np.concatenate([first[:, np.newaxis], state.value[:, :-1]], axis=1)
    error = np.concatenate([np.zeros_like(first)[:, np.newaxis], state.bound[:, :-1]], axis=1)
    return Number(by_time(value), by_time(error))


@singledispatch
def _states(
    cell: Cell, weights: Mapping[str, Array], x: Array, start: Sequence[Array], precision: Precision
) -> tuple[Expected, ...]:
    """Each part of the state, (1, timesteps, units), and how far the subject's may have come away from it."""
    return unseen_of(cell, weights, x, start, precision)


@_states.register
def _(
    cell: SimpleRnn, weights: Mapping[str, Array], x: Array, start: Sequence[Array], precision: Precision
) -> tuple[Expected, ...]:
    """The same, or by a recursion in norms, if that is sharper: where U is orthogonal, errors turn and do not grow."""
    (expected,) = unseen_of(cell, weights, x, start, precision)
    U, h = weights["U"], expected.value
    before = np.concatenate([start[0][:, np.newaxis], h[:, :-1]], axis=1)
    step = Steps(Layer(x.shape[-1], len(U), cell, "b" in weights), LayerWeights(weights), x, None, precision)
    z, radius = (step.projected + before @ step.U_T)[0], step.radius(before, step.size(before))[0]
    result = step.result(np.abs(h[0]))
    rows = np.linalg.norm(U, axis=1) * (1 + step.subject_gamma) + len(U) * precision.tiny
    carried = _carried(U, step.subject_gamma, precision.tiny)

    errors, error = np.empty_like(h[0]), 0.0
    for t, of_h in enumerate(errors):
        reach = radius[t] + rows * error
        slope = step.activation.slope(z[t], reach)
        of_h[:] = step.growth * step.spread(z[t], reach) + result[t]
        own = norm(step.growth * slope * radius[t] + result[t])
        error = min(norm(of_h), (step.growth * slope.max() * carried * error + own) * SLACK)
        np.minimum(of_h, error, out=of_h)
    bound = np.fmin(errors, expected.bound[0])[np.newaxis]
    return (Expected(h, bound, expected.without_recurrence),)


def _carried(U: Array, rounding: float, tiny: float) -> float:
    """By how much U, multiplied by a subject, may make the norm of an error grow."""
    return float(np.linalg.norm(U, 2) + rounding * np.linalg.norm(U) + U.size * tiny) * SLACK
