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
    """The largest error of one comparison: as a share of its bound, absolutely, and where."""

    ratio: float
    error: float
    value: float
    where: str
    dtype: str

    @property
    def ulps(self) -> float:
        """The error in ULP of the exact value; near zero this looks worse than it is."""
        return self.error / float(ulp(np.asarray(self.value), self.dtype))


class NonConforming(AssertionError):
    """A departure from the specification.

    `judgement` says how large, if it was measured against a bound; `details` are arrays for the witness, by name:
    after a comparison `actual`, `expected` and `bound`.
    """

    def __init__(self, message: str, judgement: Judgement | None = None, **details: Any) -> None:
        super().__init__(message)
        self.judgement = judgement
        self.details = details


@ignoring_flags
def compare(name: str, actual: Array, value: Array, bound: Array, dtype: str, place: Place | None = None) -> Judgement:
    """Compare element by element; `place` says in words where an element belongs.

    An infinite bound says nothing, of NaN neither. Raises NonConforming where an element is further off than its bound,
    or is NaN.
    """
    if not np.isfinite(value).all():
        raise ValueError(f"the reference's {name} are not finite: this case should not have been drawn")
    error = np.abs(actual.astype(np.float64) - value)
    share = np.where(error == 0, 0.0, error / bound)
    share[np.isnan(share)] = np.inf  # NaN is no number, and so never the right one
    share[np.isposinf(bound)] = 0
    worst = tuple(int(i) for i in np.unravel_index(int(share.argmax()), share.shape))
    where = f"{name}[{', '.join(map(str, worst))}]"
    judgement = Judgement(float(share[worst]), float(error[worst]), float(value[worst]), where, dtype)
    if not judgement.ratio <= 1:
        seen, wanted = _number(actual[worst], dtype), _number(value[worst], dtype)
        words = place(worst) if place else ""
        raise NonConforming(
            f"{where} = {seen}, but should be {_allowed(bound[worst])}{wanted}"
            + (f" ({judgement.ratio:,.4g} times the bound)" if bound[worst] > 0 else "")
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


def check_dtype(name: str, actual: Array, wanted: str) -> None:
    """Raise NonConforming unless the array has this dtype."""
    if str(actual.dtype) != wanted:
        raise NonConforming(f"{name}.dtype = {actual.dtype}, but should be {wanted}")


def _allowed(bound: float) -> str:
    return f"within {bound:.2g} of " if bound > 0 else "exactly "


def _number(value: Any, dtype: str) -> str:
    """As many digits as tell a number from its neighbours."""
    return f"{float(value):.{17 if dtype == 'float64' else 9}g}"
