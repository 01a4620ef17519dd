"""Chapter 2 of SPEC.md: shapes and types."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rnn_conformance.conformance.cases import Case
from rnn_conformance.conformance.check import Check
from rnn_conformance.conformance.judging import NonConforming, check_dtype, check_shape, check_state
from rnn_conformance.reference import network
from rnn_conformance.reference.architecture import Architecture, Embedding, Layer


@pytest.mark.clause("2.1", "2.2", "2.4")
def test_outputs(check: Check) -> None:
    """Outputs have the shape of their return mode and the dtype of the layer."""

    def examine(case: Case) -> bool:
        outputs = check.run(case).outputs
        check_shape("outputs", outputs, network.output_shape(case.architecture, case.batch, case.timesteps))
        check_dtype("outputs", outputs, check.dtype)
        return len({case.batch, case.timesteps, case.architecture.layers[-1].units}) > 1

    for return_sequences in (True, False):
        check.for_all(("layer", "stack"), examine, return_sequences=return_sequences)


@pytest.mark.clause("2.4", "2.5")
def test_final_states(check: Check) -> None:
    """Each layer of a model gives a final state of its own width, in the dtype of the layer."""
    check.requires("final state")

    def examine(case: Case) -> bool:
        output = check.run(case)
        check_state(case, output)
        for k, (h,) in enumerate(output.final_state or ()):
            check_dtype(f"final_state[{k}]", h, check.dtype)
        return len({case.batch, *(layer.units for layer in case.architecture.layers)}) > 1

    check.for_all(("layer", "stack"), examine, return_state=True)


@pytest.mark.clause("2.6", modes="main")
def test_symbolic_shapes(check: Check) -> None:
    """The model that everybody starts from infers (None, None, 32) and (None, 32) from unknown batch and timesteps."""
    check.requires("symbolic shapes")
    check.requires("embedding")

    def examine() -> bool:
        model = Architecture((Layer(32, 32),), Embedding(10000, 32), check.dtype, mode=check.mode)
        for return_sequences, wanted in ((True, (None, None, 32)), (False, (None, 32))):
            prepared = check.subject.network(replace(model, return_sequences=return_sequences))
            shape = prepared.ask("symbolic_shape")
            if tuple(shape) != wanted:
                raise NonConforming(f"the symbolic output shape = {tuple(shape)}, but should be {wanted}")
        return True

    check.example(examine)
