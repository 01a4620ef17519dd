"""The step residual and the propagated bound of any cell, read from its equation (BOUNDS.md, sections 13 and 14).

Both are for one direction of a layer, in the order of processing. `weights` are its arrays by name; all arrays are
float64. A state is a tuple of its parts, the output h first; results have an `Expected` for each part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch

import numpy as np

from rnn_conformance.reference.arithmetic.activations import Array
from rnn_conformance.reference.arithmetic.bounded import Bounded, Number, Term
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.plain import Plain, by_sequence, by_time
from rnn_conformance.reference.arithmetic.rounding import SLACK, Precision
from rnn_conformance.reference.bounds.steps import Expected, step_residual
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.unrolled import initial_parts
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import LayerWeights

State = Sequence[Array]


@singledispatch
@ignoring_flags
def residual_of(
    cell: Cell,
    weights: Mapping[str, Array],
    inputs: Array,
    outputs: Array,
    initial: State | None,
    precision: Precision,
    inputs_error: Array | None = None,
) -> tuple[Expected, ...]:
    """Whether each of a subject's outputs (batch, timesteps, units) follows from those before it.

    Of the parts of the state that it does not return, only what was handed in is known; they obey a recursion whose
    coefficients follow from the outputs. Where an output is not finite, the next one has no bound, and neither have
    later ones if such a part depends on it.
    """
    on = Bounded(weights, cell.gates, precision)
    x = by_time(inputs)
    batch = x.shape[-1]
    start = initial_parts(cell, weights, batch, initial)
    previous = np.concatenate([start[0][np.newaxis], by_time(outputs)[:-1]])
    finite = np.isfinite(previous).all(-2, keepdims=True)
    if not finite.all():
        previous = np.where(np.isfinite(previous), previous, 0)
    h = on.seen(previous)
    if not isinstance(h.error, float):
        h.error[0] = 0
    if not finite.all():
        h = Number(previous, np.where(finite, h.error, np.inf) * np.ones_like(previous))
    projected = cell.project(on, Number(x, 0.0 if inputs_error is None else by_time(inputs_error)))
    driven = cell.drive(on, projected, h)
    hidden: tuple[Number, ...] = ()
    if driven.keep is not None and driven.new is not None:
        hidden = (on.carried(on.closed(driven.keep), on.closed(driven.new), start[1]),)
    shown = on.closed(cell.show(on, driven, h, hidden))
    without = without_recurrence(cell, on, projected, start)
    return tuple(_expected(each, other) for each, other in zip((shown, *hidden), without, strict=True))


@residual_of.register
def _(
    cell: SimpleRnn,
    weights: Mapping[str, Array],
    inputs: Array,
    outputs: Array,
    initial: State | None,
    precision: Precision,
    inputs_error: Array | None = None,
) -> tuple[Expected, ...]:
    """The same in fewer operations."""
    layer, start = _layer_of(cell, weights), initial[0] if initial is not None else None
    return (step_residual(layer, LayerWeights(weights), inputs, outputs, start, precision, inputs_error),)


@ignoring_flags
def propagated_of(
    cell: Cell,
    weights: Mapping[str, Array],
    inputs: Array,
    initial: State | None,
    precision: Precision,
    inputs_error: Array | None = None,
) -> tuple[Expected, ...]:
    """The reference's states, and how far a subject's may have come away from them by each timestep.

    The arguments are those of `propagated_bound`; what is handed in is exact.
    """
    on = Bounded(weights, cell.gates, precision, sharp=False)
    x = by_time(inputs)
    start = initial_parts(cell, weights, x.shape[-1], initial)
    projected = cell.project(on, Number(x, 0.0 if inputs_error is None else by_time(inputs_error)))
    state: tuple[Number, ...] = tuple(map(Number, start))
    found = []
    for t in range(len(x)):
        state = tuple(map(on.closed, cell.step(on, projected.at(t), state)))
        found.append(state)
    parts = [
        Number(np.stack([each.value for each in part]), np.stack([each.error for each in part]))
        for part in zip(*found, strict=True)
    ]
    without = without_recurrence(cell, on, projected, start)
    return tuple(_expected(each, other) for each, other in zip(parts, without, strict=True))


def _layer_of(cell: Cell, weights: Mapping[str, Array]) -> Layer:
    return Layer(weights["W"].shape[1], weights["U"].shape[1], cell, "b" in weights)


def without_recurrence(cell: Cell, on: Bounded, projected: Term, start: Sequence[Array]) -> tuple[Array, ...]:
    """What each part of the state would be in a layer that forgets it at every timestep."""
    return cell.step(Plain(on.weights, cell.gates), projected.value, [np.zeros((1, *part.shape)) for part in start])


def _expected(found: Number, without: Array) -> Expected:
    error = found.error * SLACK
    error = np.where(np.isnan(error), np.inf, error)
    return Expected(*(by_sequence(array) for array in (found.value, error, without)))
