"""The bounded arithmetic: each number has a value, the reference's, and how far a right subject's may lie from it.

What the words say is proved in BOUNDS.md, section 12, once for every equation. All arrays are float64, (units, batch),
with a time axis before them where all timesteps are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rnn_conformance.reference.arithmetic.activations import GATE_ACTIVATIONS, HARD_SIGMOIDS, Activation, Array
from rnn_conformance.reference.arithmetic.plain import Rows, for_each_gate, joined, places, times
from rnn_conformance.reference.arithmetic.rounding import REFERENCE_ROUNDOFF, SLACK, Precision, gamma, ulp


@dataclass(frozen=True, eq=False)
class Number:
    """A value, and a bound on how far a right subject's may lie from it; 0.0 for one that is exact."""

    value: Array
    error: Array | float = 0.0

    @property
    def size(self) -> Array:
        """How large the absolute value of the subject's may be."""
        return np.abs(self.value) + self.error

    def each(self, change: Callable[[Array], Array]) -> Number:
        """The same with both arrays changed in the same way."""
        return Number(change(self.value), self.error if isinstance(self.error, float) else change(self.error))

    def at(self, t: int) -> Number:
        """The same at one timestep."""
        return self.each(lambda array: array[t])


@dataclass(frozen=True, eq=False)
class Sum:
    """A sum of `terms` terms that is still open: subjects form it in any order, together with what is yet added.

    `error` is how far its terms may be off, in all, before anything is rounded, `size` the sum of their absolute
    values, and `lost` that of what is multiplied by a number that may be read as zero. `apart` counts the terms
    that are not products with a kernel, or a bias, but were computed and perhaps stored before.
    """

    value: Array
    error: Array | float
    size: Array
    lost: Array | float
    terms: int
    apart: int = 0

    def each(self, change: Callable[[Array], Array]) -> Sum:
        """The same with all arrays changed in the same way."""
        error, lost = (a if isinstance(a, float) else change(a) for a in (self.error, self.lost))
        return Sum(change(self.value), error, change(self.size), lost, self.terms, self.apart)

    def at(self, t: int) -> Sum:
        """The same at one timestep."""
        return self.each(lambda array: array[t])

    def __add__(self, other: Sum) -> Sum:
        return Sum(
            self.value + other.value,
            self.error + other.error,
            self.size + other.size,
            self.lost + other.lost,
            self.terms + other.terms,
            self.apart + other.apart,
        )


Term = Number | Sum


class Bounded:
    """The words over numbers with their errors; the weights are exact.

    `sharp` says whether the ULPs of an activation are taken for what they are, or for the 2 u |y| that they may be.
    """

    def __init__(
        self, weights: Mapping[str, Array], gates: Sequence[str], precision: Precision, *, sharp: bool = True
    ) -> None:
        self.weights, self.precision, self.sharp = weights, precision, sharp
        self.tiny = precision.tiny
        single = max(precision.unit_roundoff, precision.eps / 2)  # of a single operation, stored
        self.subject_roundoff = 3 * single if precision.converted else single  # its factors are rounded, too
        self.roundoff = self.subject_roundoff + REFERENCE_ROUNDOFF
        self.rows = Rows(weights, gates)
        self._sums: dict[tuple[int, int], tuple[float, float, float]] = {}
        self._kernels: dict[tuple[str, tuple[str, ...], bool], tuple[Array, Array, Array]] = {}

    # The words.

    def affine(
        self, products: Sequence[tuple[str, Term]], biases: Sequence[str] = (), gates: Sequence[str] = ()
    ) -> Sum:
        """The sum of kernels times numbers, and of those biases that there are: each may be two of a subject's."""
        (name, x), *others = products
        found = self.product(name, x, gates)
        for name, x in others:
            found += self.product(name, x, gates)
        for name in biases:
            if name in self.weights:
                b = self.rows.of(name, gates)[:, np.newaxis]
                found += Sum(b, 0.0, np.abs(b), 1.0, 2)
        return found

    def product(self, name: str, x: Term, gates: Sequence[str] = (), *, transposed: bool = False) -> Sum:
        """The rows of a kernel, or its columns, times a number."""
        kernel, absolute, sums = self._kernel(name, gates, transposed)
        x = self.closed(x)
        x_size = x.size
        return Sum(
            times(kernel, x.value),
            x.error if isinstance(x.error, float) else times(absolute, x.error),
            times(absolute, x_size),
            sums + x_size.sum(-2, keepdims=True),
            kernel.shape[1],
        )

    def split(self, z: Term, heights: tuple[int, ...]) -> list[Term]:
        """Blocks of rows, each of so many gates."""
        each = places(z.value.shape[-2], heights)
        return [z.each(lambda array, place=place: array[..., place, :]) for place in each]  # type: ignore[misc]

    def act(self, name: str, z: Term) -> Number:
        """An activation of a number, or of a sum, which is closed."""
        z, activation = self.closed(z), GATE_ACTIVATIONS[name]
        y = activation.function(z.value)
        return Number(y, self._of_activation(activation, z.value, z.error, y))

    def mul(self, a: Term, b: Term) -> Number:
        """The product, rounded once."""
        a, b = self.closed(a), self.closed(b)
        value, size_a, size_b = a.value * b.value, a.size, b.size
        error = np.abs(a.value) * b.error + a.error * size_b
        return self._number(value, error + self.of_product(size_a, size_b))

    def add(self, a: Term, b: Term) -> Term:
        """The sum: rounded once, or a longer one, still open, if one of the two is."""
        if isinstance(a, Sum) or isinstance(b, Sum):
            return self.term(a) + self.term(b)
        value, error = a.value + b.value, a.error + b.error
        return self._number(value, error + self.of_sum(np.abs(value) + error))

    def shift(self, a: Term, by: Sequence[float]) -> Sum:
        """The sum with numbers that belong to the equation, one for each gate."""
        a, column = self.term(a), for_each_gate(by, a.value)
        return Sum(a.value + column, a.error, a.size + np.abs(column), a.lost, a.terms + 1, a.apart + 1)

    def lerp(self, z: Term, a: Term, b: Term) -> Number:
        """z a + (1 - z) b, for z a + (1 - z) b, b + z (a - b), a + (1 - z)(b - a), and each with fused operations."""
        z, a, b = self.closed(z), self.closed(a), self.closed(b)
        other = 1 - z.value
        value = z.value * a.value + other * b.value
        error = z.error * np.abs(a.value - b.value) + z.size * a.error + (np.abs(other) + z.error) * b.error
        return self._number(value, error + self.of_lerp(z, a, b))

    # What is known, and what is carried.

    def seen(self, h: Array) -> Number:
        """What a subject has returned: exact, but that where sums are wider it may have gone on with it unrounded."""
        return Number(h, self.precision.eps / 2 * np.abs(h)) if self.precision.sums_are_wider else Number(h)

    def carried(self, keep: Number, new: Number, start: Array) -> Number:
        """All of c_1, c_2, ... where c_t = keep_t c_{t-1} + new_t and c_0 = `start`: `mul` and `add` at each timestep.

        Their errors are linear in that of c_{t-1}. So only the two recursions themselves go step by step.
        """
        c = np.empty_like(keep.value)
        before = start
        for t in range(len(c)):
            before = np.multiply(keep.value[t], before, out=c[t])
            before += new.value[t]
        previous = np.concatenate([start[np.newaxis], c[:-1]])
        size, size_keep = np.abs(previous), keep.size
        product = keep.error * size + self.roundoff * size_keep * size + self.tiny * (1 + size_keep + size)
        made = (1 + self.roundoff) * (product + new.error) + self.roundoff * np.abs(c) + 3 * self.tiny
        grown = (1 + self.roundoff) * ((1 + self.roundoff) * size_keep + self.tiny)
        error, e = made * SLACK, np.zeros_like(start)
        grown *= SLACK
        for t in range(len(c)):
            error[t] += grown[t] * e
            e = error[t]
        beyond = ~(np.maximum(size_keep * size, np.abs(c)) + error <= self.precision.largest)
        if beyond.any():
            error[np.logical_or.accumulate(beyond, axis=0)] = np.inf
        return Number(c, error)

    # For the way back: factors, and sums of what comes from several places.

    def slope(self, name: str, y: Term) -> Number:
        """The derivative of an activation, as a subject tells it from its own y."""
        y = self.closed(y)
        derivative = GATE_ACTIVATIONS[name].derivative(y.value)
        return Number(derivative, self._of_slope(name, np.abs(y.value), y.error))

    def difference(self, a: Term, b: Term) -> Number:
        """a - b, by which a product is multiplied, be it before or after the subtraction."""
        a, b = self.closed(a), self.closed(b)
        error = a.error + b.error + self._gamma(3) * (a.size + b.size) + 4 * self.tiny
        return self._number(a.value - b.value, error)

    def complement(self, z: Term) -> Number:
        """1 - z, likewise."""
        z = self.closed(z)
        return self._number(1 - z.value, z.error + self._gamma(3) * (1 + z.size) + 4 * self.tiny)

    def total(self, each: Sequence[Term]) -> Term:
        """The sum of what comes back from several places, still open."""
        first, *others = each
        for other in others:
            first = self.term(first) + self.term(other)
        return first

    def joined(self, parts: Mapping[int, Term], heights: tuple[int, ...]) -> Number:
        """Blocks of rows as one number, with zeros for those that are not there."""
        closed = {k: self.closed(part) for k, part in parts.items()}
        errors = {k: np.broadcast_to(part.error, part.value.shape) for k, part in closed.items()}
        return Number(joined({k: part.value for k, part in closed.items()}, heights), joined(errors, heights))

    def over_time(self, d: Term, x: Term) -> Number:
        """The sum over all timesteps and sequences of d x^T: the gradient of a kernel."""
        d, x = self.closed(d), self.closed(x)

        def products(a: Array, b: Array) -> Array:
            return np.tensordot(a, b, ((0, 2), (0, 2)))

        d_size, x_size = d.size, x.size
        error = products(np.broadcast_to(d.error, d_size.shape), x_size)
        if not isinstance(x.error, float):
            error += products(np.abs(d.value), x.error)
        lost = d_size.sum((0, 2))[:, np.newaxis] + x_size.sum((0, 2))
        terms = len(d_size) * d_size.shape[-1]
        return self.closed(Sum(products(d.value, x.value), error, products(d_size, x_size), lost, terms))

    def sum_over_time(self, d: Term) -> Number:
        """The sum over all timesteps and sequences: the gradient of a bias."""
        d = self.closed(d)
        value, error, size = (a.sum((0, 2)) for a in (d.value, np.broadcast_to(d.error, d.value.shape), d.size))
        return self.closed(Sum(value, error, size, 0.0, len(d.value) * d.value.shape[-1]))

    def term(self, a: Term) -> Sum:
        """A sum of one term."""
        return a if isinstance(a, Sum) else Sum(a.value, a.error, a.size, 1.0, 1, 1)

    def closed(self, a: Term) -> Number:
        """A sum as the number that it becomes, in whatever order its terms are added up."""
        if isinstance(a, Number):
            return a
        rounding, flushed, of_lost = self._of_sum(a.terms, a.apart)
        return self._number(a.value, SLACK * a.error + rounding * a.size + (flushed + of_lost * a.lost), a.size)

    # How far: what a word loses when its result is rounded, and stored.

    def of_product(self, size_a: Array, size_b: Array) -> Array:
        """Of numbers that are no larger than this."""
        return self.roundoff * (size_a * size_b) + self.tiny * (1 + size_a + size_b)

    def of_sum(self, size: Array) -> Array:
        """Of two numbers that add up to no more than this."""
        return self.roundoff * size + 3 * self.tiny

    def of_lerp(self, z: Number, a: Number, b: Number) -> Array:
        """Of all its operations, in any of its forms."""
        size_z, size_other, size_a, size_b = z.size, np.abs(1 - z.value) + z.error, a.size, b.size
        either = size_a + size_b
        rounded = np.maximum(
            self._gamma(3) * (size_z * size_a + (1 + size_z) * size_b),
            self._gamma(4) * size_other * either + self.roundoff * size_a,
        )
        return rounded + self.tiny * (4 + 3 * (size_z + size_other) + 2 * either)

    def of_result(self, activation: Activation, z: Array, radius: Array | float, y: Array, spread: Array) -> Array:
        """Of an activation y = f(z), where the subject's z may be off by `radius`, and so its f(z) by `spread`."""
        ulps = self.precision.ulps.get(activation.name, activation.ulps)
        if self.precision.sums_are_wider:  # and the result is rounded to be stored
            ulps = max(ulps, 1)
        size = np.abs(y)
        error = 2 * activation.reference_ulps * REFERENCE_ROUNDOFF * size + self.tiny
        if ulps and self.sharp:
            error += ulps * ulp((size + spread) * SLACK, self.precision.dtype)
        elif ulps:
            error += ulps * self.precision.eps * (size + spread)
        if activation.roundings:
            # Where it is surely cut off, it is exact.
            rounding = self._gamma(activation.roundings)
            error += np.where(activation.slope(z, np.asarray(radius) + 12 * rounding) > 0, rounding, 0)
        return error

    def _of_sum(self, terms: int, apart: int) -> tuple[float, float, float]:
        """What the size of a sum of so many terms, nothing, and what is lost in it are multiplied with."""
        if (terms, apart) not in self._sums:
            of_subject = self.precision.gamma(terms, 3 + apart)
            rounding = of_subject + gamma(terms, REFERENCE_ROUNDOFF)
            flushed = self.precision.flushed(2 * terms, 3 + apart)
            of_lost = (1 + of_subject) * self.tiny * SLACK
            self._sums[terms, apart] = rounding * SLACK, (1 + of_subject) * flushed * SLACK, of_lost
        return self._sums[terms, apart]

    def _gamma(self, n: int) -> float:
        """The relative error of n single operations of subject and reference."""
        if n * self.subject_roundoff >= 1:
            return np.inf
        return gamma(n, self.subject_roundoff) + gamma(n, REFERENCE_ROUNDOFF)

    def _kernel(self, name: str, gates: Sequence[str], transposed: bool) -> tuple[Array, Array, Array]:
        key = (name, tuple(gates), transposed)
        if key not in self._kernels:
            rows = self.rows.of(name, gates)
            kernel = np.ascontiguousarray(rows.T if transposed else rows)
            absolute = np.abs(kernel)
            self._kernels[key] = kernel, absolute, absolute.sum(1, keepdims=True)
        return self._kernels[key]

    def _number(self, value: Array, error: Array, size: Array | None = None) -> Number:
        """A number whose error is infinite where something on its way may have overflown."""
        largest = (np.abs(value) if size is None else size) + error
        if not largest.max(initial=0) <= self.precision.largest:
            error = np.where(largest <= self.precision.largest, error, np.inf)
        return Number(value, error)

    def _of_activation(self, activation: Activation, z: Array, radius: Array | float, y: Array) -> Array:
        steepest = activation.slope(z, np.asarray(radius))
        spread = np.minimum(steepest * radius, activation.high - activation.low)
        error: Array = (spread + self.of_result(activation, z, radius, y, spread)) * SLACK
        return error if np.max(radius, initial=0) < np.inf else np.where(np.isfinite(radius), error, np.inf)

    def _of_slope(self, name: str, y: Array, error: Array | float) -> Array:
        rounding = self._gamma(4)
        if name == "tanh":
            return error * (2 * y + error) + rounding * np.square(1 + y + error)
        if name == "sigmoid":
            return error * (np.abs(1 - 2 * y) + error) + rounding * (y + error) * (1 + y + error)
        if name == "relu":
            # Beyond its bound y is surely positive. Where z is surely negative, the bound is no more than `tiny`.
            return ((y <= error) & (error > 2 * self.tiny)).astype(np.float64)
        if name in HARD_SIGMOIDS:
            inside = (error < y) & (y + error < 1)
            known = inside | (np.asarray(error) <= 2 * self.tiny)
            return np.where(known, rounding, 1 + rounding) * HARD_SIGMOIDS[name]
        return np.zeros_like(y)
