"""How far a subject's d_z may lie from the reference's at each timestep of backpropagation (BOUNDS.md, sections 8, 11).

`propagated` adds up absolute values at each timestep, `to_first_order` carries linear forms: each is a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnn_conformance.reference.arithmetic.rounding import SLACK, Precision, joint_gamma
from rnn_conformance.reference.bounds.linear_forms import SHARP, Recurrence, carried
from rnn_conformance.reference.model.weights import Array


@dataclass(frozen=True, eq=False)
class Adjoint:
    """Backpropagation through one direction, with what each of its steps may lose.

    `d_h` and `d_z` (batch, timesteps, units) are the reference's, `slope` its f'(z), from which that of the subject may
    differ by `slope_error`. `direct_error` and `direct_size` are those of what comes to d_h from outside, `terms`
    numbers at most.
    """

    U: Array
    d_h: Array
    d_z: Array
    slope: Array
    slope_error: Array
    direct_error: Array
    direct_size: Array
    terms: int
    precision: Precision

    def error(self) -> Array:
        """The sharper of both bounds, (batch, timesteps, units); infinite where a partial sum might overflow."""
        tiny, abs_U = self.precision.tiny, np.abs(self.U)
        z, h = np.abs(self.d_z), np.abs(self.d_h)
        # A sum of `units` products, of what comes from outside, and one to spare.
        n = len(abs_U) + 1 + self.terms
        rounding = joint_gamma(self.precision, n)
        lost = (1 + rounding) * tiny * (2 * n + abs_U.sum(0))
        fixed = self.direct_error + rounding * self.direct_size + lost
        fixed[:, :-1] += ((rounding * z) @ abs_U + (1 + rounding) * tiny * z.sum(-1, keepdims=True))[:, 1:]
        off = self.slope_error + 3 * tiny
        steepness = np.abs(self.slope) + off
        own = off * h + (3 + steepness) * tiny
        rounded = rounding * abs_U + (1 + rounding) * tiny
        # From here on the last timestep comes first.
        backwards = [np.ascontiguousarray(a.swapaxes(0, 1)[::-1]) for a in (fixed, steepness, own, self.slope, off, h)]
        steps = _Steps(backwards, self.U, abs_U, rounded, self.precision.largest)
        error = steps.propagated()
        if not (error <= SHARP * (steps.slope * steps.fixed + steps.own)).all():
            error = steps.to_first_order(error)
        return error[::-1].swapaxes(0, 1)


class _Steps(Recurrence):
    """The same, the last timestep first.

    `fixed` is what d_h loses for an exact d_z of the timestep after, `own` what d_z does for an exact d_h.
    """

    def __init__(self, arrays: Sequence[Array], U: Array, abs_U: Array, rounded: Array, largest: float) -> None:
        self.fixed, self.steepness, self.own, self.slope, self.off, self.h = arrays
        self.U, self.abs_U, self.rounded, self.largest = U, abs_U, rounded, largest
        self.d_h_error = np.empty_like(self.fixed)

    def propagated(self) -> Array:
        """The bound in absolute values."""
        passed_on = self.abs_U + self.rounded
        error = np.empty_like(self.fixed)
        self.d_h_error[...] = self.fixed
        for k, of_z in enumerate(error):
            if k:
                self.d_h_error[k] += error[k - 1] @ passed_on
            np.multiply(self.d_h_error[k], self.steepness[k], out=of_z)
            of_z += self.own[k]
        return np.full_like(error, np.inf) if self._may_overflow() else error * SLACK

    def to_first_order(self, caps: Array) -> Array:
        """The bound in linear forms, but no more than `caps`."""
        found = carried(self, caps)
        return caps if self._may_overflow() else found

    def _may_overflow(self) -> bool:
        return not (self.h + self.d_h_error < self.largest).all()

    def carry(self, t: int, forms: Array, out: Array) -> Array:
        np.matmul(forms, self.U, out=out)
        out *= self.slope[t, :, np.newaxis]
        return out

    def size(self, t: int, errors: Array) -> Array:
        return (errors @ self.abs_U) * self.slope[t]

    def added(self, t: int, bound: Array) -> Array:
        lost = self.fixed[t] + bound @ self.rounded
        d_h_error = np.add(lost, bound @ self.abs_U, out=self.d_h_error[t])
        return self.slope[t] * lost + self.off[t] * d_h_error + self.own[t]
