"""The sharpest bound of states that are not seen, for any cell: to first order, read from its equation (BOUNDS.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch

import numpy as np

from rnn_conformance.reference.arithmetic.bounded import Bounded, Number, Term
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.linear import Linear
from rnn_conformance.reference.arithmetic.plain import by_sequence, by_time
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.bounds.cells import State, propagated_of
from rnn_conformance.reference.bounds.first_order import first_order_bound
from rnn_conformance.reference.bounds.linear_forms import SHARP
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.bounds.verified import verified
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.unrolled import initial_parts
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights


@singledispatch
@ignoring_flags
def unseen_of(
    cell: Cell,
    weights: Mapping[str, Array],
    inputs: Array,
    initial: State | None,
    precision: Precision,
    inputs_error: Array | None = None,
) -> tuple[Expected, ...]:
    """The sharpest that is known of states that are not seen: to first order, and never more than propagated.

    The arguments are those of `propagated_of`.
    """
    expected = propagated_of(cell, weights, inputs, initial, precision, inputs_error)
    on = Linear(weights, cell.gates, precision)
    projected = cell.project(on, Number(by_time(inputs), 0.0 if inputs_error is None else by_time(inputs_error)))
    after = [by_time(part.value) for part in expected]
    before = [
        np.concatenate([start[np.newaxis], part[:-1]])
        for start, part in zip(initial_parts(cell, weights, len(inputs), initial), after, strict=True)
    ]
    caps = np.concatenate([by_time(part.bound) for part in expected], axis=1).swapaxes(1, 2)
    least = _errors(cell.step(on, projected, [Number(part) for part in before]), on)
    if (caps <= SHARP * least.swapaxes(1, 2)).all():
        return expected

    def evaluate(times: slice, guess: Array) -> tuple[Array, Array]:
        state = on.unknown([part[times] for part in before], guess.transpose(2, 0, 1))
        parts = [on.closed(part) for part in cell.step(on, projected.each(lambda array: array[times]), state)]
        # Computed for all timesteps at once, a step may differ in the last bits from what it gave in the loop.
        apart = [np.abs(part.value - own[times]) for part, own in zip(parts, after, strict=True)]
        jacobians, rests = on.linear_parts(parts)
        return jacobians, rests + np.concatenate(apart, axis=1).swapaxes(1, 2)

    bounds = verified(evaluate, caps)[0].swapaxes(1, 2)
    heights = np.cumsum([len(part[0]) for part in before])[:-1]
    return tuple(
        Expected(part.value, by_sequence(bound), part.without_recurrence)
        for part, bound in zip(expected, np.split(bounds, heights, axis=1), strict=True)
    )


@unseen_of.register
def _(
    cell: SimpleRnn,
    weights: Mapping[str, Array],
    inputs: Array,
    initial: State | None,
    precision: Precision,
    inputs_error: Array | None = None,
) -> tuple[Expected, ...]:
    """The same in fewer operations."""
    layer = Layer(weights["W"].shape[1], weights["U"].shape[1], cell, "b" in weights)
    start = initial[0] if initial is not None else None
    return (first_order_bound(layer, LayerWeights(weights), inputs, start, precision, inputs_error),)


def _errors(parts: Sequence[Term], on: Bounded) -> Array:
    """What each step adds for an exact state before it, (timesteps, width, batch)."""
    closed = [on.closed(part) for part in parts]
    return np.concatenate([np.broadcast_to(part.error, part.value.shape) for part in closed], axis=-2)
