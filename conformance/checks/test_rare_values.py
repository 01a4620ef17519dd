"""Clauses 1.1, 11.1 and 11.2 of SPEC.md for numbers that are seldom met: subnormal, very small, or near saturation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.regimes import RARE
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.reference.model.architecture import Architecture, Layer

_LIMITED = ("tanh", "sigmoid")
_DRAWS = 3
_FEATURES, _UNITS, _BATCH, _TIMESTEPS = 3, 4, 2, 6


@pytest.mark.clause("1.1", modes="main", dtypes=("float16", "bfloat16", "float32", "float64"), thrifty=())
def test_numbers_seldom_met(check: Check) -> None:
    """The recurrence holds for subnormal inputs and weights, for very small products and near saturation, too."""
    for regime in RARE:
        check.every(_cases(check, regime), lambda case: check.judge(case, check.run(case)))


@pytest.mark.clause("11.1", "11.2", modes="main", thrifty=())
def test_gradients_of_numbers_seldom_met(check: Check) -> None:
    """Backpropagation goes through such numbers, too."""
    check.requires("gradients")
    for regime in RARE:
        check.every(_cases(check, regime), lambda case: check.judge_gradients(case, check.gradients(case)))


def _cases(check: Check, regime: str) -> Iterator[Case]:
    """Some sets of numbers for each cell; where nothing saturates, numbers near saturation are just large."""
    for cell in check.cells:
        if regime == "near saturation" and cell.activation not in _LIMITED:
            continue
        architecture = Architecture((Layer(_FEATURES, _UNITS, cell),), dtype=check.dtype, mode=check.mode)
        for k in range(_DRAWS):
            yield Case(architecture, _BATCH, _TIMESTEPS, regime, check.seed + k)
