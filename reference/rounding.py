"""Floating-point arithmetic as the bounds need it: unit roundoff, gamma_n, ULP (BOUNDS.md, section 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.activations import ACTIVATIONS

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Precision:
    """The arithmetic that a subject uses for one dtype.

    `dtype` is what it stores, `unit_roundoff` that of its products and sums (larger than the dtype's for TF32 and the
    like), and `ulps` the accuracy of each activation that is not exact.
    """

    dtype: str
    unit_roundoff: float
    ulps: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def tiny(self) -> float:
        """The smallest normal number: what a result loses where subnormal numbers are flushed to zero."""
        return float(np.finfo(self.dtype).tiny)


def standard_precision(dtype: str, **ulps: float) -> Precision:
    """IEEE arithmetic in `dtype`, with the activations of clause 7.1 or, by name, those given.

    >>> standard_precision("float32", tanh=6).ulps
    {'tanh': 6, 'sigmoid': 12}
    """
    default = {name: activation.ulps for name, activation in ACTIVATIONS.items() if activation.ulps}
    return Precision(dtype, float(np.finfo(dtype).eps) / 2, {**default, **ulps})


def gamma(n: int, unit_roundoff: float) -> float:
    """gamma_n = n u / (1 - n u): bounds the relative error of n roundings (Higham 2002, lemma 3.1).

    Raises ValueError where n u >= 1: so many roundings of so coarse an arithmetic have no bound.
    """
    if n * unit_roundoff >= 1:
        raise ValueError(f"{n} roundings with unit roundoff {unit_roundoff:g} have no bound")
    return n * unit_roundoff / (1 - n * unit_roundoff)


def ulp(value: Array, dtype: str) -> Array:
    """The distance from |value| to the next larger number of `dtype`, in float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.spacing(np.abs(value).astype(dtype)).astype(np.float64)
