"""Judging half and mixed precision: the rounding of the type, what has no bound, and what overflows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.judging.gradients import judge_gradients
from rnn_conformance.conformance.judging.outputs import expectations, judge
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.rounding import Precision, dtype_of, standard_precision
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Weights, widened

HALVES = ["float16", "bfloat16"]


def rounded(case: Case, weights: Weights | None = None) -> Output:
    """What a subject returns that computes in float64 and rounds only its weights and outputs."""
    dtype = case.architecture.dtype
    output = network.run(case.architecture, widened(weights or case.weights, dtype), case.inputs)
    return Output(output.outputs.astype(dtype_of(dtype)))


@pytest.mark.parametrize("wider_sums", [False, True])
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_half_precision(activation: str, dtype: str, wider_sums: bool) -> None:
    """Outputs in half precisions are judged within their rounding, also where sums are formed in float32."""
    precision = standard_precision(dtype)
    if wider_sums:
        precision = replace(precision, unit_roundoff=2.0**-24)
    for seed in range(20):
        case = Case(Architecture((Layer(3, 4, SimpleRnn(activation)),), dtype=dtype), 2, 6, "saturating", seed)
        assert judge(case, rounded(case), precision, Choices()).discriminates
        wrong = Weights(tuple(layer.with_arrays(U=layer.U.T) for layer in case.weights.layers))
        with pytest.raises(NonConforming):
            judge(case, rounded(case, wrong), precision, Choices())


@pytest.mark.parametrize("dtype", HALVES)
def test_mixed_precision(dtype: str) -> None:
    """Weights that are kept in float32 are rounded to the layer's dtype before anything is computed."""
    precision = Precision(dtype, 2.0**-24)
    case = Case(
        Architecture((Layer(1, 1, SimpleRnn("linear"), False),), dtype=dtype, weights_dtype="float32"), 2, 5, "unit", 3
    )
    assert {str(array.dtype) for _, array in case.weights.arrays()} == {"float32"}
    (layer,) = case.weights.layers
    layer.W[...], layer.U[...] = 1 + 0.4 * precision.eps, 1
    assert widened(case.weights, dtype).layers[0].W == 1
    ((_, _, expected),) = expectations(case, rounded(case), precision, Choices(), False)
    np.testing.assert_array_equal(expected.value[:, 0], case.inputs[:, 0])
    judge(case, rounded(case), precision, Choices())


def test_roundings_without_a_bound() -> None:
    """Where so many roundings of so coarse an arithmetic have no bound, a case passes and shows nothing."""
    case = Case(Architecture((Layer(200, 60, SimpleRnn("linear")),), dtype="bfloat16"), 1, 2, "unit", 0)
    precision = standard_precision("bfloat16")
    findings = judge(case, Output(np.zeros((1, 2, 60), dtype_of("bfloat16"))), precision, Choices())
    assert not findings.discriminates
    assert [(judgement.ratio, judgement.unbounded) for judgement in findings.judgements] == [(0, True)]
    found = gradients(case.architecture, widened(case.weights, "bfloat16"), case.inputs, case.cotangent)
    assert not judge_gradients(case, found, precision, Choices()).discriminates


def test_overflow() -> None:
    """What overflows to infinity in half precision passes and shows nothing; what follows from it, too."""
    case = Case(Architecture((Layer(1, 1, SimpleRnn("linear"), False),), dtype="float16"), 1, 12, "unit", 0)
    U = np.full((1, 1), 8, np.float16)
    case.weights.layers[0].W[...], case.weights.layers[0].U[...] = 8, U
    output = network.run(case.architecture, case.weights, case.inputs)
    assert not np.isfinite(output.outputs).all()
    judge(case, output, standard_precision("float16"), Choices())
    outputs = output.outputs.copy()
    outputs[0, 1] = np.inf
    with pytest.raises(NonConforming, match=r"outputs\[0, 1, 0\] = inf"):
        judge(case, Output(outputs), standard_precision("float16"), Choices())
