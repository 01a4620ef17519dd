"""Backpropagation through one direction of any cell, timestep by timestep, and what its every step may lose.

First all errors are added up as absolute values. Where that is not sharp, they are carried as linear forms, in the
linear arithmetic: a step's gradients depend linearly on what came from the step after it (BOUNDS.md, section 15).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from rnn_conformance.reference.arithmetic.bounded import Number, Sum, Term
from rnn_conformance.reference.arithmetic.linear import Linear
from rnn_conformance.reference.arithmetic.taped import Node
from rnn_conformance.reference.bounds.linear_forms import SHARP
from rnn_conformance.reference.bounds.verified import verified
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
    found: dict[Node[Term], Term] = {node: stacked(numbers[::-1]) for node, numbers in came.items()}
    given = _given(each)
    if not (caps <= SHARP * _least(passage, direct, given)).all():
        handed = [np.stack([parts[k][0].value for parts in each[::-1]]) for k in range(len(direct))]
        errors, bounds = _to_first_order(passage, on, direct, given, handed, found, caps)
        found = {node: Number(number.value, np.fmin(number.error, errors[node])) for node, number in found.items()}
        back = _within(back, bounds[-1].T)
    return passage.gathered(found, back)


def _to_first_order(
    passage: Passage[Term],
    on: Linear,
    direct: Sequence[Sum],
    given: Sequence[Term],
    handed: Sequence[Array],
    came: Mapping[Node[Term], Term],
    caps: Array,
) -> tuple[dict[Node[Term], Array], Array]:
    """How far what came back to each number may be off, and what is handed on, the last timestep first.

    `given` and `handed` are what the loop gave each timestep and what it handed on from it, `came` what came back.
    Computed for all timesteps at once, these may differ in the last bits: by so much more the bounds are larger.
    """
    timesteps = len(caps)
    errors = {node: np.empty_like(number.value) for node, number in came.items()}

    def evaluate(steps: slice, guess: Array) -> tuple[Array, Array]:
        times = slice(timesteps - steps.stop, timesteps - steps.start)

        def at(number: Term) -> Term:
            return number.each(lambda array: array[times])

        forms = on.begun([at(part) for part in given], guess[::-1].transpose(2, 0, 1))
        seeds: Came = {node: [at(d), form] for node, d, form in zip(passage.after, direct, forms, strict=True)}
        found = passage.steps.back(seeds, at)
        for node, error in errors.items():
            number = on.closed(found[node])
            error[times] = number.error + np.abs(number.value - came[node].value[times])
        parts = [found[node] for node in passage.before]
        apart = [np.abs(part.value - own[times]) for part, own in zip(parts, handed, strict=True)]
        jacobians, rests = on.linear_parts(parts)
        return jacobians[::-1], (rests + np.concatenate(apart, axis=1).swapaxes(1, 2))[::-1]

    bounds, right = verified(evaluate, caps)
    right = right[::-1].swapaxes(1, 2)
    return {node: np.where(right, error, np.inf) for node, error in errors.items()}, bounds


def _given(each: Sequence[Sequence[Sequence[Term]]]) -> list[Term]:
    """What each timestep is given by the one after it, a part of the state each: exact, with a time axis before it."""
    return [_in_order([parts[k][0] for parts in each[-2::-1]], each[-1][k][0]) for k in range(len(each[0]))]


def _in_order(terms: Sequence[Term], like: Term) -> Term:
    """Numbers, or open sums of equally many terms, and nothing at the last timestep."""

    def over_time(name: str) -> Array:
        arrays = [np.broadcast_to(getattr(term, name), like.value.shape) for term in terms]
        return np.stack([*arrays, np.zeros_like(like.value)])

    if isinstance(like, Number):
        return Number(over_time("value"))
    return Sum(over_time("value"), 0.0, over_time("size"), over_time("lost"), like.terms, like.apart)


def _least(passage: Passage[Term], direct: Sequence[Sum], given: Sequence[Term]) -> Array:
    """What each step loses if what it is given is exact, (timesteps, batch, width), the last timestep first."""
    seeds: Came = {node: [d, exact] for node, d, exact in zip(passage.after, direct, given, strict=True)}
    found = passage.steps.back(seeds, lambda number: number)
    return np.concatenate([_error(found[node]) for node in passage.before], axis=1).swapaxes(1, 2)[::-1]


def _within(back: Sequence[Sequence[Term]], bound: Array) -> list[list[Term]]:
    """The same numbers, (units, batch) each, with this bound of their errors."""
    ends = np.cumsum([len(part.value) for (part,) in back])[:-1]
    bounds = np.split(bound, ends)
    return [[replace(part, error=error)] for (part,), error in zip(back, bounds, strict=True)]


def stacked(each: Sequence[Term]) -> Number:
    """The numbers of all timesteps as one."""
    return Number(np.stack([number.value for number in each]), np.stack([_error(number) for number in each]))


def _error(number: Term) -> Array:
    return np.broadcast_to(number.error, number.value.shape)
