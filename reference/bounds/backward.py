"""How far right gradients of one direction may lie from the exact ones, for any cell: the equation read backwards.

The words of backpropagation are those of the equation, computed with numbers that know their error (BOUNDS.md,
section 14).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rnn_conformance.reference.arithmetic.bounded import Number, Sum, Term
from rnn_conformance.reference.arithmetic.linear import Linear
from rnn_conformance.reference.arithmetic.plain import by_sequence, by_time
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.bounds.backward_steps import bounded_back, stacked
from rnn_conformance.reference.bounds.cotangents import Cotangent
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.layers.backwards import CameBack, Passage
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.weights import Array


class TapedBackward:
    """Backpropagation through one direction.

    `states` is each part of the state with its bound, and `direct` how L depends directly on it: sums that are still
    open, (batch, timesteps, units), and what falls to the part that was handed in. `inputs_error` is how far the inputs
    may be off.
    """

    def __init__(
        self,
        cell: Cell,
        one: Pass,
        states: Sequence[Expected],
        inputs_error: Array | None,
        direct: Sequence[tuple[Sum, Array | None]],
        precision: Precision,
    ) -> None:
        self.one, self.named, self.direct = one, one.weights.named, direct
        self.on = Linear(self.named, cell.gates, precision)
        firsts = (one.h_before[:, :1], *(part.before[:, :1] for part in one.hidden))
        before = [_before(state, first) for state, first in zip(states, firsts, strict=True)]
        x = Number(by_time(one.inputs), 0.0 if inputs_error is None else by_time(inputs_error))
        passage = Passage[Term](cell, self.on, x, before, lambda number, t: number.at(t), stacked)
        seeds = [d.each(by_time) for d, _ in direct]
        self.found = bounded_back(passage, self.on, seeds, one.h.shape[1])
        self.truncated = passage.truncated(seeds)

    def weights(self) -> list[tuple[str, Expected]]:
        """The gradient of each array, by its name."""
        values, errors = (self._assembled(self.found, pick) for pick in (_value, _error))
        without = self._assembled(self.truncated, _value)
        return [(name, Expected(values[name], errors[name], without[name])) for name in self.named]

    def inputs(self) -> tuple[Cotangent, Array]:
        """The gradient of the inputs (batch, timesteps, features), and the same without the recurrence."""
        found, without = self.on.closed(self.found.inputs), self.on.closed(self.truncated.inputs)
        cotangent = Cotangent(found.value, _error(found), found.size).each(by_sequence).each(self.one.course.unread)
        return cotangent, self.one.course.unread(by_sequence(without.value))

    def initial(self) -> list[Expected]:
        """The gradient of each part of the initial state, (batch, units)."""
        found = []
        for d, without, (_, more) in zip(self.found.initial, self.truncated.initial, self.direct, strict=True):
            number, other = self.on.closed(d), self.on.closed(without)
            value = number.value.T if more is None else number.value.T + more
            found.append(Expected(value, _error(number).T, other.value.T))
        return found

    def _assembled(self, found: CameBack[Term], pick: Callable[[Number], Array]) -> dict[str, Array]:
        arrays = {name: np.zeros_like(array) for name, array in self.named.items()}
        for name, gates, d in found.weights:
            if name in arrays:
                arrays[name][self.on.rows.where(name, gates)] += pick(self.on.closed(d))
        return arrays


def _before(state: Expected, first: Array) -> Number:
    """A part of the state one timestep earlier; what was handed in is exact."""
    value = np.concatenate([first, state.value[:, :-1]], axis=1)
    error = np.concatenate([np.zeros_like(first), state.bound[:, :-1]], axis=1)
    return Number(by_time(value), by_time(error))


def _value(number: Number) -> Array:
    return number.value


def _error(number: Number) -> Array:
    return np.broadcast_to(number.error, number.value.shape)
