"""Chapter 5 of SPEC.md: the embedding."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_conformance.conformance.cases import Case
from rnn_conformance.conformance.check import Check
from rnn_conformance.conformance.judging import same_bits
from rnn_conformance.reference.architecture import LayerWeights, Weights


@pytest.mark.clause("5.1")
def test_lookup(check: Check) -> None:
    """Behind a layer that passes its input on, each token shows as its row of the table, to the bit."""
    check.requires("embedding")

    def examine(case: Case) -> bool:
        units, features = case.weights.layers[0].W.shape
        table = case.weights.embedding
        assert table is not None
        # relu passes on what is not negative, and multiplying by 1 and adding zeros is exact.
        table = np.abs(table)
        U, b = np.zeros((units, units), check.dtype), np.zeros(units, check.dtype)
        has_bias = case.architecture.layers[0].use_bias
        passes_on = LayerWeights(np.eye(units, features, dtype=check.dtype), U, b if has_bias else None)
        outputs = check.run(case, weights=Weights((passes_on,), table)).outputs
        seen = min(units, features)
        same_bits("outputs", outputs[..., :seen], table[case.inputs][..., :seen], "W is the identity and U is zero")
        return len(np.unique(case.inputs)) > 1

    check.for_all(
        "embedding",
        examine,
        where=lambda structure: len(structure.layers) == 1,
        activations=["relu", "linear"],
        regimes=["unit", "integers"],
    )


@pytest.mark.clause("5.2")
def test_model_with_embedding(check: Check) -> None:
    """A model with an embedding computes what its layers compute from the embedded sequence, in both return modes."""
    check.requires("embedding")
    for return_sequences in (True, False):
        check.for_all("embedding", lambda case: check.judge(case, check.run(case)), return_sequences=return_sequences)
