"""A cell run over the timesteps of a batch, in the order of processing: all its states, in plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch

import numpy as np

from rnn_conformance.reference.arithmetic.activations import Array
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.plain import Looped, Plain, by_sequence, by_time
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn, simple_rnn


@singledispatch
@ignoring_flags
def unrolled(
    cell: Cell, weights: Mapping[str, Array], inputs: Array, initial: Sequence[Array] | None = None
) -> tuple[Array, ...]:
    """All values of each part of the state, the output first, each (batch, timesteps, units).

    `inputs` is (batch, timesteps, features), `weights` the arrays of one direction by name, and `initial` each part of
    the state before the first timestep, (batch, units), or None for zeros. All is computed in the dtype of the inputs.
    """
    projected = cell.project(Plain(weights, cell.gates), by_time(inputs))
    on = Looped(weights, cell.gates)
    state = initial_parts(cell, weights, len(inputs), initial)
    states = tuple(np.empty((len(projected), *part.shape), inputs.dtype) for part in state)
    for t, projected_t in enumerate(projected):
        on.again()
        for part, at_t in zip(states, cell.step(on, projected_t, state), strict=True):
            part[t] = at_t
        state = tuple(part[t] for part in states)
    return tuple(map(by_sequence, states))


@unrolled.register
def _(
    cell: SimpleRnn, weights: Mapping[str, Array], inputs: Array, initial: Sequence[Array] | None = None
) -> tuple[Array, ...]:
    """The same in fewer operations."""
    return (simple_rnn(inputs, weights, cell.activation, initial[0] if initial is not None else None),)


def initial_parts(
    cell: Cell, weights: Mapping[str, Array], batch: int, initial: Sequence[Array] | None
) -> tuple[Array, ...]:
    """Each part of the state before the first timestep, (units, batch); zeros for None."""
    if initial is not None:
        return tuple(np.ascontiguousarray(part.T) for part in initial)
    units, dtype = len(weights["U"]) // len(cell.gates), weights["U"].dtype
    return tuple(np.zeros((width, batch), dtype) for width in cell.widths(units).values())
