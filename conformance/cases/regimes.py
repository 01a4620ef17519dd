"""The numbers to check with: each regime says how large weights and inputs are, and so which faults they can show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.model.weights import Array


@dataclass(frozen=True)
class Regime:
    """Standard deviations: of the pre-activation's parts W x, U h and b, and of the inputs; `zeros` is a share.

    An activation without limits takes at most a gain of 1.1 in U, lest long sequences overflow. `band` is how far from
    zero each bias is moved, away from it.

    For gated cells: `shift` is added to the bias of a gate, by its name; `gain` is what the candidate's weights are
    multiplied with, if it has limits; `c` is the size of the second part of an initial state. `silent` gates, drawn
    anew for each layer, have zeros for weights: ``one`` of them, or ``all but one``.
    """

    W: float
    U: float
    b: float
    x: float = 1.0
    zeros: float = 0.0
    band: float = 0.0
    shift: Mapping[str, float] = field(default_factory=dict)
    gain: float = 1.0
    c: float = 1.0
    silent: str = ""


REGIMES: dict[str, Regime | None] = {
    "integers": None,  # comes first, so that a failure shrinks to numbers that a person can follow
    "unit": Regime(W=1.0, U=1.0, b=0.5),
    "small": Regime(W=0.1, U=0.5, b=0.1, x=0.5),
    "contractive": Regime(W=1.0, U=0.4, b=0.5),
    "expanding": Regime(W=0.5, U=2.0, b=0.2),
    "saturating": Regime(W=4.0, U=4.0, b=1.0),
    "sparse": Regime(W=1.5, U=1.5, b=0.5, zeros=0.6),
}
"""Every regime of every cell by name. None: small whole numbers, and a U with one 1 or -1 a row: sums stay exact."""

GATED: dict[str, Regime] = {
    "keeping": Regime(W=1.0, U=0.5, b=0.3, shift={"f": 4.0, "z": 4.0}),
    "forgetting": Regime(W=1.0, U=0.5, b=0.3, shift={"f": -4.0, "z": -4.0}),
    "candidate saturated": Regime(W=1.0, U=0.5, b=0.3, gain=16.0),
    "far from zero": Regime(W=1.0, U=1.0, b=0.3, shift={"f": 6.0}, c=30.0),
    "one gate silent": Regime(W=1.0, U=1.0, b=0.5, silent="one"),
    "one gate alone": Regime(W=1.0, U=1.0, b=0.5, silent="all but one"),
}
"""Those of cells that have several gates, beside REGIMES: each gate near its ends, and each of them on its own."""

EXACT_GATES = "exact gates"
"""Whole numbers, times `GAIN` for gates and candidates that have limits: these are 0, 1/2 or 1, or -1, 0 or 1.

It is drawn only where a check asks for it. An initial c is a whole multiple of `GAIN / 16`.
"""

GAIN = 2048
"""A whole number times this is 0 or beyond where tanh and sigmoid reach their limits, in every precision.

So is half of that, which a reset gate may leave of it.
"""


RARE = ("subnormal inputs", "subnormal weights", "small products", "near saturation")
"""Regimes of numbers that are seldom met, and whose sizes depend on the type; only test_rare_values.py draws them."""


NAMES = (*REGIMES, *GATED, EXACT_GATES, *RARE)
"""Every regime that a case can have."""


def regimes_of(cell: str) -> tuple[str, ...]:
    """The names of the regimes in which cells of this kind are checked."""
    return (*REGIMES, *(() if cell == "simple_rnn" else GATED))


def regime_of(name: str, dtype: str) -> Regime | None:
    """What a regime says of numbers of this type; None for whole numbers. Raises KeyError for a name that none has."""
    if name in REGIMES:
        return REGIMES[name]
    if name in GATED:
        return GATED[name]
    if name == EXACT_GATES:
        return None
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
