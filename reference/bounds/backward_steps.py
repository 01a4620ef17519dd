"""Backpropagation through one direction of any cell, timestep by timestep, and what its every step may lose.

First all errors are added up as absolute values. Where that is not sharp, they are carried as linear forms, in the
linear arithmetic: a step's gradients depend linearly on what came from the step after it (BOUNDS.md, section 15).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rnn_conformance.reference.arithmetic.bounded import Number, Sum, Term
from rnn_conformance.reference.arithmetic.linear import Linear
from rnn_conformance.reference.arithmetic.taped import Node
from rnn_conformance.reference.bounds.linear_forms import SHARP, Recurrence, carried
from rnn_conformance.reference.layers.backwards import CameBack, Passage
from rnn_conformance.reference.model.weights import Array

Came = dict[Node[Term], list[Term]]


def bounded_back(passage: Passage[Term], on: Linear, direct: Sequence[Sum], timesteps: int) -> CameBack[Term]:
    """The gradients and how far a subject's may be off; `direct` is how L depends on each part of each state."""
    came = passage.nothing()
    each: list[list[list[Term]]] = []
    back: list[list[Term]] = [[] for _ in direct]
    for t in reversed(range(timesteps)):
        back = passage.one_step(t, direct, back, came)
        each.append(back)
    caps = np.stack([np.concatenate([_error(part) for (part,) in parts]).T for parts in each])
    if not (caps <= SHARP * _least(passage, direct, each)).all():
        steps = _Steps(passage, on, direct, timesteps)
        bounds = carried(steps, caps)
        back = _within(back, bounds[-1].T)
        came = {node: [_sharper(*both) for both in zip(came[node], steps.came[node], strict=True)] for node in came}
    return passage.gathered({node: stacked(numbers[::-1]) for node, numbers in came.items()}, back)


class _Steps(Recurrence):
    """The errors of what is carried from one timestep to the one before, of all parts of the state together.

    Steps count from the last timestep. `came` is what came back to each number.
    """

    def __init__(self, passage: Passage[Term], on: Linear, direct: Sequence[Sum], timesteps: int) -> None:
        self.passage, self.on, self.direct, self.timesteps = passage, on, direct, timesteps
        self.came: Came = passage.nothing()
        self.back: list[list[Term]] = [[] for _ in direct]
        self.jacobian = np.empty(())  # (batch, width, width), at the present step
        self.absolute = np.empty(())

    def added(self, t: int, bound: Array) -> Array:
        if t:
            self.back = [[part] for part in self.on.begun([part for (part,) in self.back], bound.T)]
        self.back = self.passage.one_step(self.timesteps - 1 - t, self.direct, self.back, self.came)
        jacobians, rests = zip(*(self.on.linear_part(part) for (part,) in self.back), strict=True)
        self.jacobian = np.concatenate(jacobians, axis=1).transpose(2, 0, 1)
        self.absolute = np.abs(self.jacobian)
        return np.concatenate(rests).T

    def carry(self, t: int, forms: Array, out: Array) -> Array:
        return np.matmul(forms, self.jacobian, out=out)

    def size(self, t: int, errors: Array) -> Array:
        return (errors[:, np.newaxis] @ self.absolute)[:, 0]


def _least(passage: Passage[Term], direct: Sequence[Sum], each: Sequence[Sequence[Sequence[Term]]]) -> Array:
    """What each step loses if it is given exactly what the one after it carries, (timesteps, batch, width)."""
    after = [np.zeros_like(part.value) for (part,) in each[0]]
    given = [np.stack([nothing, *(parts[k][0].value for parts in each[:-1])])[::-1] for k, nothing in enumerate(after)]
    seeds: Came = {
        node: [d, Number(exact)] for node, d, exact in zip(passage.after, direct, given, strict=True)
    }
    found = passage.steps.back(seeds, lambda number: number)
    return np.concatenate([_error(found[node]) for node in passage.before], axis=1).swapaxes(1, 2)[::-1]


def _within(back: Sequence[Sequence[Term]], bound: Array) -> list[list[Term]]:
    """The same numbers, (units, batch) each, with this bound of their errors."""
    ends = np.cumsum([len(part.value) for (part,) in back])[:-1]
    bounds = np.split(bound, ends)
    return [[replace(part, error=error)] for (part,), error in zip(back, bounds, strict=True)]


def _sharper(one: Term, other: Term) -> Number:
    """The same number with the smaller of two bounds."""
    return Number(one.value, np.fmin(one.error, other.error))


def stacked(each: Sequence[Term]) -> Number:
    """The numbers of all timesteps as one."""
    return Number(np.stack([number.value for number in each]), np.stack([_error(number) for number in each]))


def _error(number: Term) -> Array:
    return np.broadcast_to(number.error, number.value.shape)
