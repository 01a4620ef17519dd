"""First-order bounds of steps that are all computed at once, from a guess that is then proved (BOUNDS.md, section 15).

What a step adds to an error depends on how large the error before it may be, if only to second order. Going step by
step would take as many calls of each word as there are steps. So all steps are computed for a guess of their errors;
if the bounds that follow do not exceed the guess, they hold.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rnn_conformance.reference.bounds.linear_forms import Recurrence, carried
from rnn_conformance.reference.model.weights import Array

_ATTEMPTS = 6
_MARGIN = 1.25
"""A guess is so much larger than the bounds that the guess before it led to."""

_AT_ONCE = 2**18
"""So many elements of jacobians of a state are computed at once: those of its gates are some times as many."""

Evaluate = Callable[[slice, Array], tuple[Array, Array]]
"""Jacobians (steps, batch, width, width) of some steps, and what they add (steps, batch, width), where the error before
each of them is within a guess (steps, batch, width)."""


def verified(evaluate: Evaluate, caps: Array) -> tuple[Array, Array]:
    """Bounds of the error after each step, (timesteps, batch, width), none larger than `caps`, which is another one.

    The second array, (timesteps, batch, 1), says for which steps the guess that `evaluate` was given last was right.
    """
    timesteps, batch, width = caps.shape
    count = max(1, _AT_ONCE // (batch * width * width))
    blocks = [slice(start, min(start + count, timesteps)) for start in range(0, timesteps, count)]
    guess = np.zeros_like(caps)
    for _ in range(_ATTEMPTS):
        jacobians, new = zip(*(evaluate(block, guess[block]) for block in blocks), strict=True)
        bounds = carried(_Given(np.concatenate(jacobians), np.concatenate(new)), caps)
        before = np.concatenate([np.zeros_like(caps[:1]), bounds[:-1]])
        right = np.logical_and.accumulate((before <= guess).all(-1, keepdims=True), axis=0)
        if right.all():
            break
        guess = np.minimum(_MARGIN * before, np.concatenate([np.zeros_like(caps[:1]), caps[:-1]]))
    return np.where(right, bounds, caps), right


class _Given(Recurrence):
    """Steps of which all is known."""

    def __init__(self, jacobians: Array, new: Array) -> None:
        self.jacobians, self.absolute, self.new = jacobians, np.abs(jacobians), new

    def added(self, t: int, bound: Array) -> Array:
        return self.new[t]

    def carry(self, t: int, forms: Array, out: Array) -> Array:
        return np.matmul(forms, self.jacobians[t], out=out)

    def size(self, t: int, errors: Array) -> Array:
        return (errors[:, np.newaxis] @ self.absolute[t])[:, 0]
