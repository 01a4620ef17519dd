"""Numbers held against what is expected, element by element, with an error that says where and by how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import ulp
from rnn_conformance.reference.model.weights import Array

Place = Callable[[tuple[int, ...]], str]
"""Says in words where an element of an array belongs."""


@dataclass(frozen=True)
class Judgement:
    """The largest error of one comparison: as a share of its bound, absolutely, and where.

    It is `unbounded` if most of the elements have a bound that nothing could have been beyond.
    """

    ratio: float
    error: float
    value: float
    where: str
    dtype: str
    unbounded: bool = False

    @property
    def ulps(self) -> float:
        """The error in ULP of the exact value; near zero this looks worse than it is."""
        return self.error / float(ulp(np.asarray(self.value), self.dtype))


class NonConforming(AssertionError):
    """A departure from the specification.

    `judgement` says how large, if it was measured against a bound; `details` are arrays for the witness, by name:
    after a comparison `actual`, `expected` and `bound`. `computed_in` is the dtype by whose arithmetic it was
    judged, if that is not its own.
    """

    computed_in: str = ""

    def __init__(self, message: str, judgement: Judgement | None = None, **details: Any) -> None:
        super().__init__(message)
        self.judgement = judgement
        self.details = details


@ignoring_flags
def compare(
    name: str,
    actual: Array,
    value: Array,
    bound: Array,
    dtype: str,
    place: Place | None = None,
    reach: float | None = None,
) -> Judgement:
    """Compare element by element; `place` says in words where an element belongs.

    A bound judges nothing that is infinite, or larger than `reach`: how far apart two outputs of that layer can be, or
    else, for None, the largest number that is expected. Raises NonConforming where an element is further off than its
    bound, or is NaN: but not for NaN under an infinite bound beside an infinity, from which it may come.
    """
    if not np.isfinite(value).all():
        raise ValueError(f"the reference's {name} are not finite: this case should not have been drawn")
    error = np.abs(actual.astype(np.float64) - value)
    share = np.where(error == 0, 0.0, error / bound)
    share[np.isnan(share)] = np.inf  # NaN is no number, and so never the right one
    if reach is None:
        reach = float(np.abs(value).max(initial=0)) or np.inf  # nothing is known of what is small beside zeros
    says_nothing = ~(bound <= reach) | np.isposinf(bound)
    if says_nothing.any():
        has_no_bound = np.isposinf(bound)
        overflows = bool(np.isinf(actual[has_no_bound]).any())
        share[has_no_bound & (overflows | ~np.isnan(actual))] = 0
        share[says_nothing & (share <= 1)] = 0
    worst = tuple(int(i) for i in np.unravel_index(int(share.argmax()), share.shape))
    where = f"{name}[{', '.join(map(str, worst))}]"
    unbounded = bool(2 * np.count_nonzero(says_nothing) > says_nothing.size)
    judgement = Judgement(float(share[worst]), float(error[worst]), float(value[worst]), where, dtype, unbounded)
    if not judgement.ratio <= 1:
        seen, wanted = _number(actual[worst], dtype), _number(value[worst], dtype)
        words = place(worst) if place else ""
        raise NonConforming(
            f"{where} = {seen}, but should be {_allowed(bound[worst])}{wanted}"
            + (f" ({judgement.ratio:,.4g} times the bound)" if 0 < bound[worst] < np.inf else "")
            + (f" — {words}" if words else ""),
            judgement,
            actual=actual,
            expected=value,
            bound=bound,
        )
    return judgement


@ignoring_flags
def same_bits(name: str, actual: Array, wanted: Array, why: str) -> None:
    """Raise NonConforming, saying `why`, unless two arrays agree in shape, dtype and every bit; -0.0 counts as 0.0."""
    check_shape(name, actual, wanted.shape)
    check_dtype(name, actual, str(wanted.dtype))
    wrong = np.argwhere((actual != wanted) & ~((actual != actual) & (wanted != wanted)))
    if len(wrong):
        at, dtype = tuple(int(i) for i in wrong[0]), str(wanted.dtype)
        raise NonConforming(
            f"{name}{list(at)} = {_number(actual[at], dtype)}, but should be {_number(wanted[at], dtype)}, "
            f"the same bits: {why} ({len(wrong)} of {actual.size} elements differ)",
            actual=actual,
            expected=wanted,
        )


def check_shape(name: str, actual: Any, wanted: tuple[int | None, ...]) -> None:
    """Raise NonConforming unless it is an array of this shape."""
    if not isinstance(actual, np.ndarray):
        raise NonConforming(f"{name} is a {type(actual).__name__}, but should be an array of shape {wanted}")
    if actual.shape != wanted:
        raise NonConforming(f"{name}.shape = {actual.shape}, but should be {wanted}", actual=actual)


def check_finite(name: str, actual: Array) -> None:
    """Raise NonConforming if any element is NaN or infinite: for what other outputs of the subject are held against."""
    wrong = np.argwhere(~np.isfinite(actual.astype(np.float64)))
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise NonConforming(f"{name}{list(at)} = {float(actual[at])}, but should be finite", actual=actual)


def check_dtype(name: str, actual: Array, wanted: str) -> None:
    """Raise NonConforming unless the array has this dtype."""
    if str(actual.dtype) != wanted:
        raise NonConforming(f"{name}.dtype = {actual.dtype}, but should be {wanted}")


def _allowed(bound: float) -> str:
    if np.isposinf(bound):
        return "a number near "
    return f"within {bound:.2g} of " if bound > 0 else "exactly "


def _number(value: Any, dtype: str) -> str:
    """As many digits as tell a number from its neighbours."""
    return f"{float(value):.{17 if dtype == 'float64' else 9}g}"
