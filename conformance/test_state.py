"""Chapter 3 of SPEC.md: state (clause 3.1 is checked with the recurrence, in test_values.py)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.conformance.cases import Case
from rnn_conformance.conformance.check import Check
from rnn_conformance.conformance.judging import check_state, same_bits
from rnn_conformance.reference.architecture import Output


@pytest.mark.clause("3.2")
def test_initial_state(check: Check) -> None:
    """A given initial state is where the recurrence starts, in every layer of a model."""
    check.requires("initial state")

    def examine(case: Case) -> bool:
        return check.judge(case, check.run(case, initial_state=case.initial_state), from_given_state=True)

    check.for_all(("layer", "stack"), examine, return_state=True)


@pytest.mark.clause("3.3")
def test_final_state(check: Check) -> None:
    """The final state of each layer is its last output; for the last layer, of which both are seen, to the bit."""
    check.requires("final state")

    def examine(case: Case) -> bool:
        output = check.run(case)
        discriminates = check.judge(case, output)
        assert output.final_state is not None  # judge has seen to it
        (h,) = output.final_state[-1]
        same_bits("final_state[-1]", h, output.outputs[:, -1], "it is the last output")
        return discriminates

    check.for_all(("layer", "stack"), examine, return_state=True)


@pytest.mark.clause("3.4")
def test_splitting_a_sequence(check: Check) -> None:
    """The second part of a sequence, started from the final state of the first, continues the whole."""
    check.requires("initial state")
    check.requires("final state")

    def examine(case: Case) -> bool:
        # One place to split each structure: every other length would have to be compiled.
        split = case.timesteps // 2
        first = replace(case, timesteps=split)
        output = check.run(first, weights=case.weights, inputs=case.inputs[:, :split])
        check_state(first, output)
        assert output.final_state is not None  # check_state has seen to it
        rest = check.run(case, inputs=case.inputs[:, split:], initial_state=output.final_state).outputs
        whole = np.concatenate([output.outputs, rest], axis=1)
        return check.judge(case.returning(sequences=True), Output(whole))

    check.for_all("layer", examine, return_state=True, where=lambda structure: structure.timesteps > 1)


@pytest.mark.clause("3.5")
def test_each_call_starts_anew(check: Check) -> None:
    """A call gives the same bits before and after a call with other inputs: no state is left over."""

    def examine(case: Case) -> bool:
        network = check.network(case)
        before = network.run(case.inputs).outputs.copy()
        between = network.run(case.next().inputs).outputs
        after = network.run(case.inputs).outputs
        same_bits("outputs after another call", after, before, "inputs, weights and initial state are the same")
        return bool(between.any())

    check.for_all(("layer", "stack"), examine)
