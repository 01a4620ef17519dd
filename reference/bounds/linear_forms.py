"""Errors carried through a recurrence as linear forms: the mechanism of all first-order bounds (BOUNDS.md, section 10).

An error (a row for each sequence) obeys e_t = e_{t-1} J_t + w_t: what one step makes of it is known, and what that step
adds is not, but for a bound l_t of |w_t|. Absolute values are taken of whole products J_{s+1} ... J_t, in which errors
may cancel, and not of each J.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import REFERENCE_ROUNDOFF, SLACK, gamma
from rnn_conformance.reference.model.weights import Array

SHARP = 16.0
"""A bound from elsewhere of no more than so many times what one step adds is sharp enough as it is."""

_KEPT = 40
"""So many products are kept; what came in earlier is taken for something that the present step adds."""

_NEGLIGIBLE = 1 / 8
"""The oldest product goes early where what it makes of an error is no more than this share of what the step adds."""

_WORSE = 4.0
"""Where the bounds from elsewhere are so much sharper, in all of a batch, their errors are carried on instead."""

_TIDIED = 4
"""After so many steps each it is seen which products may go."""

_LARGEST = 2.0**40
"""If all that was added is more than this there is no bound: no more than _LOST may underflow in the products."""

_LOST = 2.0**-1074 * _LARGEST


class Recurrence(ABC):
    """What is known of an error: how each step, counted from 0, carries it on, and what it may add."""

    @abstractmethod
    def carry(self, t: int, forms: Array, out: Array) -> Array:
        """`forms` @ J_t, for forms (batch, any, width), written to `out`."""

    @abstractmethod
    def size(self, t: int, errors: Array) -> Array:
        """`errors` @ |J_t|, for errors (batch, width) that are not negative."""

    @abstractmethod
    def added(self, t: int, bound: Array) -> Array:
        """How large w_t may be, (batch, width), if the error before is within this bound."""


@ignoring_flags
def carried(recurrence: Recurrence, caps: Array) -> Array:
    """Bounds of the error after each step, (timesteps, batch, width), beginning with no error.

    `caps` are others of the same shape, which may be infinite: none that is returned is larger.
    """
    timesteps, batch, width = caps.shape
    roundoff, identity = gamma(width + 2, REFERENCE_ROUNDOFF), np.eye(width)
    # A form for each element of each w_s, the oldest first, and beside it how large that element may be.
    forms, spare = (np.empty((batch, (1 + min(timesteps, _KEPT)) * width, width)) for _ in range(2))
    known: Array = np.empty((batch, 0))
    bound: Array = np.zeros((batch, width))
    total, first = bound, 0
    found, all_added = np.empty_like(caps), np.zeros((batch, width))
    for t, cap in enumerate(caps):
        new = recurrence.added(t, bound) * SLACK
        if count := known.shape[1]:
            new += (roundoff * recurrence.size(t, total) + width * _LOST) * SLACK
            recurrence.carry(t, forms[:, first : first + count], spare[:, :count])
            forms, spare, first = spare, forms, 0
            while count == _KEPT * width or (count and t % _TIDIED == 0):
                oldest = _sum(known[:, :width], forms[:, first : first + width])
                if count < _KEPT * width and not (oldest <= _NEGLIGIBLE * new).all():
                    break
                new, known, first, count = new + oldest * SLACK, known[:, width:], first + width, count - width
            total = (new + _sum(known, forms[:, first : first + count])) * SLACK
            # It has been of no use so far, or a product has overflowed.
            if t % _TIDIED == 0 and not (total < _WORSE * cap).any():
                total, new, known, count = cap, cap, known[:, :0], 0
        else:
            total = new
        forms[:, first + count : first + count + width] = identity
        known = np.concatenate([known, new], axis=1)
        all_added += new
        bound = np.fmin(total, cap, out=found[t])
    return np.where(all_added.sum(-1, keepdims=True) <= _LARGEST, found, caps)


def _sum(known: Array, forms: Array) -> Array:
    """How large a sum of forms may be whose elements are no larger than `known`."""
    summed: Array = (known[:, np.newaxis] @ np.abs(forms))[:, 0]
    return summed
