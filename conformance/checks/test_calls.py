"""Chapter 8 of SPEC.md: calls, and what they leave alone."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.reference.model.states import state_arrays


@pytest.mark.clause("8.1")
def test_same_call_twice(check: Check) -> None:
    """The same call twice gives the same bits."""

    def examine(case: Case) -> bool:
        network = check.network(case)
        first = network.run(case.inputs).outputs.copy()
        same_bits("outputs of the second call", network.run(case.inputs).outputs, first, "the call is the same")
        return bool(first.any())

    check.for_all(("layer", "stack"), examine)


@pytest.mark.clause("8.2")
def test_arguments_are_left_alone(check: Check) -> None:
    """A call does not write to its inputs, its initial state or the arrays that were loaded."""
    with_state = "initial state" not in check.subject.description.unsupported

    def examine(case: Case) -> bool:
        state = case.initial_state if with_state else None
        given = {"inputs": case.inputs, **dict(case.weights.arrays())}
        given |= dict(state_arrays("initial_state", state))
        before = {name: array.copy() for name, array in given.items()}
        check.run(case, initial_state=state)
        for name, array in given.items():
            same_bits(f"{name} after the call", array, before[name], "a call leaves its arguments alone")
        return all(array.any() for array in before.values())

    check.for_all("layer", examine, return_state=with_state)


@pytest.mark.clause("8.3")
def test_outputs_are_not_overwritten(check: Check) -> None:
    """What a call returned stays as it was when the network is called, and loaded, again."""

    def examine(case: Case) -> bool:
        earlier = check.run(case)
        before = deepcopy(earlier)
        later = check.run(case, weights=case.next().weights, inputs=case.next().inputs)
        same_bits("outputs after a later call", earlier.outputs, before.outputs, "they were returned earlier")
        for name, h, kept in laws.states(earlier, before):
            same_bits(f"{name} after a later call", h, kept, "it was returned earlier")
        return bool(np.any(later.outputs != before.outputs))

    check.for_all("layer", examine, return_state=check.offers("final state"))
