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

Evaluate = Callable[[Array], tuple[Array, Array]]
"""Jacobians (timesteps, batch, width, width) and what is added (timesteps, batch, width), where the error before each
step is within a guess (timesteps, batch, width)."""


def verified(evaluate: Evaluate, caps: Array) -> tuple[Array, Array]:
    """Bounds of the error after each step, (timesteps, batch, width), none larger than `caps`, which is another one.

    The second array, (timesteps, batch, 1), says for which steps the guess that `evaluate` was given last was right.
    """
    guess = np.zeros_like(caps)
    for _ in range(_ATTEMPTS):
        bounds = carried(_Given(*evaluate(guess)), caps)
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
