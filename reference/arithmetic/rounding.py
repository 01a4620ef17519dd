"""Floating-point arithmetic as the bounds need it: unit roundoff, gamma_n, ULP (BOUNDS.md, section 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS, Array
from rnn_conformance.reference.arithmetic.flags import ignoring_flags

REFERENCE_ROUNDOFF = float(np.finfo(np.float64).eps) / 2
"""The unit roundoff of the reference itself."""

SLACK = 1 + 2.0**-30
"""The bounds are themselves computed in float64, with a relative error far below this."""


_ROUNDINGS_TO_DTYPE = 4
"""How often a sum that is formed in a wider type may be rounded to the dtype on its way (BOUNDS.md, section 6)."""

_CONVERSIONS = 2
"""How often a term is rounded where numbers are converted: both factors of a product are (BOUNDS.md, section 6)."""


@dataclass(frozen=True)
class Precision:
    """The arithmetic that a subject uses for one dtype.

    `dtype` is what it stores, `unit_roundoff` that of its products and sums, and `ulps` the accuracy of each activation
    that is not exact. The unit roundoff is larger than that of the dtype for TF32 and the like, and smaller where sums
    are formed in a wider type and rounded to the dtype as often as BOUNDS.md, section 6, allows. Numbers are
    `converted` if what is given is of a wider type, and is rounded to the dtype before anything is computed of it.
    """

    dtype: str
    unit_roundoff: float
    ulps: Mapping[str, float] = field(default_factory=dict)
    converted: bool = False

    @cached_property
    def tiny(self) -> float:
        """The smallest normal number: what a result loses where subnormal numbers are flushed to zero."""
        return float(_finfo(self.dtype).tiny)

    @cached_property
    def largest(self) -> float:
        """The largest finite number: beyond it lies infinity, from which no error can be told."""
        return float(_finfo(self.dtype).max)

    @cached_property
    def eps(self) -> float:
        """Twice the unit roundoff of what is stored: ulp(y) <= eps |y|."""
        return float(_finfo(self.dtype).eps)

    def gamma(self, n: int, stored: int = _ROUNDINGS_TO_DTYPE) -> float:
        """The relative error of a term that goes through n operations; infinite where it has no bound.

        Where sums are wider than the dtype, it is rounded to that `stored` times on its way.
        """
        n += _CONVERSIONS * self.converted
        if n * self.unit_roundoff >= 1:
            return math.inf
        error = gamma(n, self.unit_roundoff)
        if self.sums_are_wider:
            error += (1 + error) * gamma(stored, self.eps / 2)
        return error

    @property
    def sums_are_wider(self) -> bool:
        """Whether sums are formed in a type that is wider than the dtype."""
        return self.unit_roundoff < self.eps / 2

    def flushed(self, n: int, stored: int = _ROUNDINGS_TO_DTYPE) -> float:
        """What n results on the way of a sum lose where subnormal ones are flushed to zero."""
        if not self.sums_are_wider:
            return n * self.tiny
        return n * float(_finfo("float32").tiny) + stored * self.tiny

    def without_wider_sums(self) -> Precision:
        """The same with sums that may be rounded to the dtype at each addition: what is known of those over time."""
        return replace(self, unit_roundoff=self.eps / 2) if self.sums_are_wider else self


def dtype_of(name: str) -> np.dtype[Any]:
    """The NumPy dtype of that name; bfloat16 is that of ml_dtypes.

    Raises TypeError for a name that is none.
    """
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def standard_precision(dtype: str, **ulps: float) -> Precision:
    """IEEE arithmetic in `dtype`, with the activations of clause 7.1 or, by name, those given.

    >>> standard_precision("float32", tanh=6).ulps
    {'tanh': 6, 'sigmoid': 12}
    """
    default = {name: activation.ulps for name, activation in ACTIVATIONS.items() if activation.ulps}
    return Precision(dtype, float(_finfo(dtype).eps) / 2, {**default, **ulps})


def wider_sums(dtype: str, **ulps: float) -> Precision:
    """The same for a half precision whose products and sums are float32, rounded where they are stored.

    BOUNDS.md, section 6, says what that allows; benchmarks/accumulation.py measures of which frameworks it is true.
    """
    return replace(standard_precision(dtype, **ulps), unit_roundoff=float(_finfo("float32").eps) / 2)


def computed_in(precision: Precision) -> Precision:
    """The arithmetic of numbers of a wider type that are rounded to this one's before anything is computed of them."""
    return replace(precision, converted=True)


def gamma(n: int, unit_roundoff: float) -> float:
    """gamma_n = n u / (1 - n u): bounds the relative error of n roundings (Higham 2002, lemma 3.1).

    Raises ValueError where n u >= 1: so many roundings of so coarse an arithmetic have no bound.
    """
    if n * unit_roundoff >= 1:
        raise ValueError(f"{n} roundings with unit roundoff {unit_roundoff:g} have no bound")
    return n * unit_roundoff / (1 - n * unit_roundoff)


def joint_gamma(precision: Precision, n: int) -> float:
    """The relative error of n operations between a subject and the reference, neither of which is exact."""
    return precision.gamma(n) + gamma(n, REFERENCE_ROUNDOFF)


@ignoring_flags
def ulp(value: Array, dtype: str) -> Array:
    """The distance from |value| to the next larger number of `dtype`, in float64; infinity where there is none."""
    distance = np.spacing(np.abs(value).astype(dtype_of(dtype))).astype(np.float64)
    return np.fmin(distance, np.inf)  # which takes infinity where the other is NaN


def _finfo(dtype: str) -> Any:
    return ml_dtypes.finfo(dtype_of(dtype))  # type: ignore[no-untyped-call]
