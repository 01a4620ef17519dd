"""Numbers that are seldom met: what the regimes of them draw, in every type."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.regimes import RARE, REGIMES, regime_of
from rnn_conformance.conformance.witnesses.encoding import case_as_data, case_from_data
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import in_float64

DTYPES = ("float16", "bfloat16", "float32", "float64")


def _case(regime: str, dtype: str) -> Case:
    return Case(Architecture((Layer(3, 4),), dtype=dtype), 2, 6, regime, 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormal(dtype: str) -> None:
    """Inputs, or weights, are subnormal, and not all of them zero."""
    tiny = standard_precision(dtype).tiny
    for array in (_case("subnormal inputs", dtype).inputs, _case("subnormal weights", dtype).weights.layers[0].W):
        sizes = np.abs(array.astype(np.float64))
        assert sizes.max() < tiny
        assert (sizes > 0).mean() > 0.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_small_products(dtype: str) -> None:
    """Sums are far below what is usually met, and yet not lost where subnormal numbers are flushed."""
    case, precision = _case("small products", dtype), standard_precision(dtype)
    outputs = np.abs(network.run(case.architecture, in_float64(case.weights), case.inputs).outputs)
    assert precision.tiny < np.median(outputs) < 100 * precision.tiny / precision.eps**0.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_near_saturation(dtype: str) -> None:
    """Most outputs are not 1, but so near to it that some tens to thousands of roundings are between."""
    case = _case("near saturation", dtype)
    outputs = network.run(case.architecture, in_float64(case.weights), case.inputs).outputs
    roundings = (1 - np.abs(outputs)) / standard_precision(dtype).eps
    assert ((roundings > 2) & (roundings < 5000)).mean() > 0.8


def test_regimes_have_names_of_their_own() -> None:
    """Rare regimes are told from others, and kept in a witness like these."""
    assert not set(RARE) & set(REGIMES)
    for name in RARE:
        assert case_from_data(case_as_data(_case(name, "float32"))) == _case(name, "float32")
    with pytest.raises(KeyError):
        regime_of("small product", "float32")
