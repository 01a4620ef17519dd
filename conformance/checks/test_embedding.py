"""Chapter 5 of SPEC.md: the embedding."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_conformance.conformance.cases.candidates import EXACT, candidate_alone, hands_on
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.patterns import PATTERNS
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.reference.model.weights import Weights


@pytest.mark.clause("5.1")
def test_lookup(check: Check) -> None:
    """Behind a layer that passes its input on, each token shows as its row of the table, to the bit."""
    check.requires("embedding")

    gated = any("gate" in cell.activations for cell in check.cells)

    def examine(case: Case) -> bool:
        (layer,), table = case.architecture.layers, case.weights.embedding
        assert table is not None
        units, features = layer.units, layer.features
        # relu passes on what is not negative, and multiplying by 1 and adding zeros is exact.
        table = np.abs(table)
        U, b = np.zeros((units, units), check.dtype), np.zeros(units, check.dtype)
        passes_on = candidate_alone(layer.cell, np.eye(units, features, dtype=check.dtype), U, b)
        passes_on = passes_on if layer.use_bias else passes_on.with_arrays(b=None)
        outputs = check.run(case, weights=Weights((passes_on,), table)).outputs
        seen = min(units, features)
        wanted = check.stored(table)[case.inputs]
        same_bits("outputs", outputs[..., :seen], wanted[..., :seen], "W is the identity and U is zero")
        return len(np.unique(case.inputs)) > 1

    check.for_all(
        "embedding",
        examine,
        where=lambda structure: len(structure.layers) == 1 and hands_on(structure.layers[0].cell),
        activations=EXACT,
        regimes=["unit", "integers"],
        bias=True if gated else None,  # that of a gate holds it open or shut
    )


@pytest.mark.clause("5.2")
def test_model_with_embedding(check: Check) -> None:
    """A model with an embedding computes what its layers compute from the embedded sequence, in both return modes."""
    check.requires("embedding")
    for return_sequences in (True,) if check.profile.thrifty else (True, False):
        check.for_all("embedding", lambda case: check.judge(case, check.run(case)), return_sequences=return_sequences)


@pytest.mark.clause("5.3")
def test_masking_zero(check: Check) -> None:
    """An embedding that masks zero masks the timesteps whose token is 0, wherever they are, and no others."""
    check.requires("embedding")
    check.requires("mask_zero")

    def examine(case: Case) -> bool:
        parts = ("valid outputs", "states")
        laws.judge_parts(check, case, check.run(case), *parts)
        return laws.tells(check, case, laws.without_mask(check, case), *parts)

    for sequences in (True,) if check.profile.thrifty else (True, False):
        # All outputs come with the states, without which little of what stands behind a sequence would show.
        how: laws.Way = {"return_sequences": sequences, "return_state": sequences and check.offers("final state")}
        check.for_all("embedding", examine, where=laws.has_parts, patterns=PATTERNS, mask_zero=True, **how)
