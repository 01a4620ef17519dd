"""Chapter 4 of SPEC.md: stacks."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import DTYPES
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import check_finite, compare
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.model.weights import Array, Weights, in_float64


@pytest.mark.clause("4.1", "4.2", thrifty=DTYPES)
def test_stack(check: Check) -> None:
    """Each layer of a stack reads the whole output sequence of the one below, whatever the model returns."""
    check.requires("stack")

    def examine(case: Case) -> Set[str]:
        discriminates = check.judge(case, check.run(case))
        told = {"4.1", "4.2"} if len({layer.units for layer in case.architecture.layers}) > 1 else {"4.1"}
        return told if discriminates else set()

    for return_sequences in (True,) if check.is_spare else (True, False):
        check.for_all("stack", examine, return_sequences=return_sequences)


@pytest.mark.clause("4.3")
def test_stacking_is_composing(check: Check) -> None:
    """A stack computes what its layers compute, each run as a model of its own on the outputs of the one below."""
    check.requires("stack")

    def examine(case: Case) -> bool:
        stacked = check.run(case).outputs
        composed = case.inputs
        inputs: Array = case.inputs.astype(np.float64)
        error: Array | None = None
        for layer, weights in zip(case.architecture.layers, case.weights.layers, strict=True):
            alone = replace(case, architecture=replace(case.architecture, layers=(layer,)))
            composed = check.run(alone, weights=Weights((weights,)), inputs=composed).outputs
            exact = in_float64(weights)
            expected = expected_layer(layer, exact, inputs, None, check.precision, inputs_error=error).outputs
            inputs, error = expected.value, expected.bound
        check_finite("outputs of the layers alone", composed)
        # Both may be off by the bound, in different directions.
        judgement = compare("outputs", stacked, composed.astype(np.float64), 2 * expected.bound, check.dtype)
        check.evidence.add(judgement, case)
        return bool((np.abs(expected.value - expected.without_recurrence) > 2 * expected.bound).any())

    check.for_all("stack", examine)
