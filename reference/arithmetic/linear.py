"""The linear arithmetic: bounded numbers that know, to first order, where their errors come from (see BOUNDS.md).

What is not known, such as the error of the state that a step begins from, is a vector d of which there is a bound. A
subject's number is then value + d jacobian + something of at most `rest`. The words are those of the bounded
arithmetic, and so are their roundings; all that is not linear in d, or is rounded here, goes to the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from rnn_conformance.reference.arithmetic.activations import GATE_ACTIVATIONS, Array
from rnn_conformance.reference.arithmetic.bounded import Bounded, Number, Sum, Term
from rnn_conformance.reference.arithmetic.plain import joined
from rnn_conformance.reference.arithmetic.rounding import REFERENCE_ROUNDOFF, SLACK, Precision, gamma

_SMALLEST = 2.0**-1074

_OWN = 8 * REFERENCE_ROUNDOFF
"""A word computes a jacobian of its result with fewer roundings than eight."""


@dataclass(frozen=True, eq=False)
class Form(Number):
    """A number that is known to first order; `jacobian` is (length of d, units, batch), `error` covers all of it."""

    jacobian: Array = field(kw_only=True)
    rest: Array = field(kw_only=True)

    def each(self, change: Callable[[Array], Array]) -> Form:
        """The same with all arrays changed in the same way."""
        value, error, jacobian, rest = map(change, (self.value, np.asarray(self.error), self.jacobian, self.rest))
        return Form(value, error, jacobian=jacobian, rest=rest)


@dataclass(frozen=True, eq=False)
class OpenForm(Sum):
    """A sum that is still open, some of whose terms are known to first order."""

    jacobian: Array = field(kw_only=True)
    rest: Array = field(kw_only=True)

    @staticmethod
    def of(total: Sum, jacobian: Array, rest: Array) -> OpenForm:
        """A sum whose linear part, and what is left of its error, are these."""
        fields = (total.value, total.error, total.size, total.lost, total.terms, total.apart)
        return OpenForm(*fields, jacobian=jacobian, rest=rest)

    def each(self, change: Callable[[Array], Array]) -> OpenForm:
        """The same with all arrays changed in the same way."""
        return OpenForm.of(super().each(change), change(self.jacobian), change(self.rest))

    def __add__(self, other: Sum) -> OpenForm:
        jacobian = self.jacobian + other.jacobian if isinstance(other, OpenForm) else self.jacobian
        return OpenForm.of(super().__add__(other), jacobian, self.rest + _rest(other))

    __radd__ = __add__  # before the `+` of a plain Sum, which would forget the linear part


class Linear(Bounded):
    """The words over forms; a number that does not depend on d is one of the bounded arithmetic."""

    def __init__(self, weights: Mapping[str, Array], gates: Sequence[str], precision: Precision) -> None:
        super().__init__(weights, gates, precision, sharp=False)
        self.bound: Array = np.zeros((0, 1))
        self.underflow: Array = np.zeros(1)  # what a product that underflows in a jacobian may cost

    def unknown(self, values: Sequence[Array], bound: Array) -> list[Form]:
        """Numbers each of whose errors is an element of d: of all values (units, batch) together, within `bound`.

        With a time axis before them, there is a d for each timestep: `bound` is (length of d, timesteps, batch).
        """
        self.bound, self.underflow = bound, _SMALLEST * bound.sum(0)[..., np.newaxis, :]
        heights = np.cumsum([0, *(value.shape[-2] for value in values)])
        identity = np.eye(len(bound)).reshape(len(bound), *(1,) * (bound.ndim - 2), -1, 1)
        errors = np.moveaxis(bound, 0, -2)
        forms = []
        for value, rows in zip(values, map(slice, *zip(*pairwise(heights), strict=True)), strict=True):
            jacobian = np.broadcast_to(identity[..., rows, :], (len(bound), *value.shape))
            forms.append(Form(value, errors[..., rows, :], jacobian=jacobian, rest=np.zeros_like(value)))
        return forms

    def begun(self, terms: Sequence[Term], bound: Array) -> list[Term]:
        """The same of numbers or open sums, whatever their errors were."""
        forms = self.unknown([term.value for term in terms], bound)
        return [
            OpenForm.of(replace(term, error=form.error), form.jacobian, form.rest) if isinstance(term, Sum) else form
            for term, form in zip(terms, forms, strict=True)
        ]

    def linear_part(self, a: Term) -> tuple[Array, Array]:
        """How a number, or an open sum, depends on d, (length of d, units, batch), and what is left of its error."""
        if isinstance(a, OpenForm):
            return a.jacobian, a.rest + a.terms * REFERENCE_ROUNDOFF * a.error
        if isinstance(a, Form):
            return a.jacobian, a.rest
        return np.zeros((len(self.bound), *a.value.shape)), np.broadcast_to(a.error, a.value.shape)

    def linear_parts(self, parts: Sequence[Term]) -> tuple[Array, Array]:
        """The same of all parts of a state, over time: axes are timesteps, batch, then d, then units."""
        jacobians, rests = zip(*map(self.linear_part, parts), strict=True)
        together = np.ascontiguousarray(np.concatenate(jacobians, axis=-2).transpose(1, 3, 0, 2))
        return together, np.concatenate(rests, axis=-2).swapaxes(1, 2)

    def product(self, name: str, x: Term, gates: Sequence[str] = (), *, transposed: bool = False) -> Sum:
        """The rows of a kernel, or its columns, times a number."""
        x = self.closed(x)
        found = super().product(name, x, gates, transposed=transposed)
        if not isinstance(x, Form):
            return found
        kernel, absolute, _ = self._kernel(name, gates, transposed)
        own = gamma(kernel.shape[1] + 1, REFERENCE_ROUNDOFF) * found.error + kernel.shape[1] * self.underflow
        return OpenForm.of(found, kernel @ x.jacobian, absolute @ x.rest + own)

    def act(self, name: str, z: Term) -> Number:
        """An activation of a number, or of a sum, which is closed."""
        z, activation = self.closed(z), GATE_ACTIVATIONS[name]
        if not isinstance(z, Form):
            return super().act(name, z)
        y, slope = activation.function(z.value), activation.slope(z.value, np.zeros(()))
        beyond = activation.remainder(z.value, np.asarray(z.error))
        linear = slope * z.error
        lost = self.of_result(activation, z.value, z.error, y, linear + beyond)
        return self._form(y, slope * z.jacobian, slope * z.rest + beyond + lost + _OWN * linear)

    def mul(self, a: Term, b: Term) -> Number:
        """The product, rounded once."""
        a, b = self.closed(a), self.closed(b)
        found = super().mul(a, b)
        if not isinstance(a, Form) and not isinstance(b, Form):
            return found
        rest = np.abs(a.value) * _rest(b) + np.abs(b.value) * _rest(a) + a.error * b.error
        rest = rest + self.of_product(a.size, b.size) + _OWN * found.error
        return self._form(found.value, _weighted((a.value, b), (b.value, a)), _bounded_like(found, rest))

    def add(self, a: Term, b: Term) -> Term:
        """The sum: rounded once, or a longer one, still open, if one of the two is."""
        found = super().add(a, b)
        if not isinstance(found, Number) or not (isinstance(a, Form) or isinstance(b, Form)):
            return found
        a, b = self.closed(a), self.closed(b)
        rest = _rest(a) + _rest(b) + self.of_sum(np.abs(found.value) + a.error + b.error) + _OWN * found.error
        return self._form(found.value, _weighted((1.0, a), (1.0, b)), _bounded_like(found, rest))

    def shift(self, a: Term, by: Sequence[float]) -> Sum:
        """The sum with numbers that belong to the equation, one for each gate."""
        a = self.term(a)
        found = super().shift(a, by)
        return OpenForm.of(found, a.jacobian, a.rest) if isinstance(a, OpenForm) else found

    def lerp(self, z: Term, a: Term, b: Term) -> Number:
        """z a + (1 - z) b, in any of its usual forms."""
        z, a, b = self.closed(z), self.closed(a), self.closed(b)
        found = super().lerp(z, a, b)
        if not any(isinstance(each, Form) for each in (z, a, b)):
            return found
        other, apart = 1 - z.value, a.value - b.value
        rest = np.abs(z.value) * _rest(a) + np.abs(other) * _rest(b) + np.abs(apart) * _rest(z)
        rest = rest + z.error * (a.error + b.error) + self.of_lerp(z, a, b) + _OWN * found.error
        return self._form(found.value, _weighted((z.value, a), (other, b), (apart, z)), _bounded_like(found, rest))

    def joined(self, parts: Mapping[int, Term], heights: tuple[int, ...]) -> Number:
        """Blocks of rows as one number, with zeros for those that are not there."""
        closed = {k: self.closed(part) for k, part in parts.items()}
        found = super().joined(closed, heights)
        forms = {k: part for k, part in closed.items() if isinstance(part, Form)}
        if not forms:
            return found
        rest = super().joined({k: Number(part.value, _rest(part)) for k, part in closed.items()}, heights)
        jacobian = joined({k: form.jacobian for k, form in forms.items()}, heights)
        return self._form(found.value, jacobian, np.asarray(rest.error))

    def term(self, a: Term) -> Sum:
        """A sum of one term."""
        return OpenForm.of(super().term(a), a.jacobian, a.rest) if isinstance(a, Form) else super().term(a)

    def closed(self, a: Term) -> Number:
        """A sum as the number that it becomes, in whatever order its terms are added up."""
        if not isinstance(a, OpenForm):
            return super().closed(a)
        jacobian, rest = self.linear_part(a)
        closed = super().closed(Sum(a.value, rest, a.size, a.lost, a.terms, a.apart))
        return self._form(closed.value, jacobian, np.asarray(closed.error))

    def _form(self, value: Array, jacobian: Array, rest: Array) -> Form:
        """A form, and how far it may be off in all."""
        rest = rest + 4 * self.underflow
        error = (np.abs(jacobian) * self.bound[..., np.newaxis, :]).sum(0) + rest
        return Form(value, error * SLACK, jacobian=jacobian, rest=rest)


def _rest(a: Term) -> Array | float:
    """What is left of an error without the linear part: all of it, if there is none."""
    return a.rest if isinstance(a, Form | OpenForm) else a.error


def _weighted(*each: tuple[Array | float, Number]) -> Array:
    """The sum of the jacobians of some numbers, each times a factor."""
    first, *others = (factor * number.jacobian for factor, number in each if isinstance(number, Form))
    return sum(others, first)


def _bounded_like(found: Number, rest: Array) -> Array:
    """The rest, but infinite where there is no bound at all."""
    return np.where(np.isfinite(found.error), rest, np.inf) * SLACK
