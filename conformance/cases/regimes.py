"""The numbers to check with: each regime says how large weights and inputs are, and so which faults they can show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.model.weights import Array


@dataclass(frozen=True)
class Regime:
    """Standard deviations: of the pre-activation's parts W x, U h and b, and of the inputs; `zeros` is a share.

    An activation without limits takes at most a gain of 1.1 in U, lest long sequences overflow. `band` is how far from
    zero each bias is moved, away from it.
    """

    W: float
    U: float
    b: float
    x: float = 1.0
    zeros: float = 0.0
    band: float = 0.0


REGIMES: dict[str, Regime | None] = {
    "integers": None,  # comes first, so that a failure shrinks to numbers that a person can follow
    "unit": Regime(W=1.0, U=1.0, b=0.5),
    "small": Regime(W=0.1, U=0.5, b=0.1, x=0.5),
    "contractive": Regime(W=1.0, U=0.4, b=0.5),
    "expanding": Regime(W=0.5, U=2.0, b=0.2),
    "saturating": Regime(W=4.0, U=4.0, b=1.0),
    "sparse": Regime(W=1.5, U=1.5, b=0.5, zeros=0.6),
}
"""Every regime by name. None: small whole numbers, and a U with one 1 or -1 a row, so that sums stay exact."""


RARE = ("subnormal inputs", "subnormal weights", "small products", "near saturation")
"""Regimes of numbers that are seldom met, and whose sizes depend on the type; only test_rare_values.py draws them."""


def regime_of(name: str, dtype: str) -> Regime | None:
    """What REGIMES or RARE say of numbers of this type. Raises KeyError for another name."""
    if name in REGIMES:
        return REGIMES[name]
    precision = standard_precision(dtype)
    subnormal = precision.tiny / 8
    small = (precision.tiny / precision.eps**0.5) ** 0.5  # its square is a few digits above what may be flushed
    return {
        "subnormal inputs": Regime(W=1.0, U=1.0, b=0.5, x=subnormal),
        "subnormal weights": Regime(W=subnormal, U=1.0, b=0.5),
        "small products": Regime(W=small, U=1.0, b=small**2, x=small),
        # There 1 - |tanh|, which is 2 exp(-2 |z|), is some hundred roundings.
        "near saturation": Regime(W=0.2, U=0.2, b=0.3, band=-0.5 * math.log(50 * precision.eps)),
    }[name]


TOKENS = ("uint8", "int16", "int8", "uint16", "int64", "uint32", "uint64")
"""Types of tokens other than int32, in which every framework takes them."""


def orthogonal(rng: np.random.Generator, units: int) -> Array:
    """An orthogonal matrix (units, units) in float64."""
    matrix: Array = np.linalg.qr(rng.standard_normal((units, units)))[0]
    return matrix
