"""Chapter 10 of SPEC.md: directions. Those of 10.5 to 10.7 run with what directions there are."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import same_bits

_PARTS = ("valid outputs", "states")
"""What there is to judge under a mask; what stands in the padding is the subject of 9.4."""


@pytest.mark.clause("10.1")
def test_backward(check: Check) -> None:
    """Each output of a backward layer follows from the output at the timestep after it."""
    check.requires("backward")
    _judge_outputs(check, direction="backward")


@pytest.mark.clause("10.1")
def test_initial_state_of_backward_layer(check: Check) -> None:
    """The initial state of a backward layer is what comes after its last timestep."""
    check.requires("backward")
    check.requires("initial state")
    _judge_outputs(check, from_given_state=True, direction="backward")


@pytest.mark.clause("10.2")
def test_order_of_backward_outputs(check: Check) -> None:
    """Other inputs before a timestep leave its output and the later ones alone, where the declared order has them."""
    check.requires("backward")
    aligned = check.subject.description.choices.backward_outputs == "aligned"

    def examine(case: Case) -> bool:
        split = 1 + case.seed % (case.timesteps - 1)
        inputs = case.inputs.copy()
        inputs[:, :split] = case.next().inputs[:, :split]
        is_later = np.arange(case.timesteps) >= split
        at = (is_later if aligned else is_later[::-1])[:, np.newaxis]
        before, after = check.run(case).outputs, check.run(case, inputs=inputs).outputs
        same_bits("outputs", np.where(at, after, before), before, f"inputs[:, {split}:] are the same")
        changed = (after != before).any(axis=-1)
        return bool((changed | at[:, 0]).all(axis=1).any())

    check.for_all("layer", examine, where=laws.has_parts, direction="backward")


@pytest.mark.clause("10.3")
def test_bidirectional(check: Check) -> None:
    """A bidirectional layer joins, at each timestep, the outputs of a forward and of a backward layer."""
    check.requires("bidirectional")
    _judge_outputs(check, direction="bidirectional")


@pytest.mark.clause("10.3")
def test_initial_states_of_bidirectional_layer(check: Check) -> None:
    """Each direction of a bidirectional layer starts from the initial state that is its own."""
    check.requires("bidirectional")
    check.requires("initial state")
    _judge_outputs(check, from_given_state=True, direction="bidirectional")


@pytest.mark.clause("10.4", modes="main")
def test_merge_modes(check: Check) -> None:
    """The outputs of the two directions are added, multiplied or averaged, in both return modes."""

    def examine(case: Case) -> bool:
        return check.judge(case, check.run(case))

    for sequences in (True,) if check.profile.thrifty else (True, False):
        laws.for_each(
            check, ["layer"], laws.MERGED, examine, all_ways=True, where=laws.is_short, return_sequences=sequences
        )


@pytest.mark.clause("10.5")
def test_final_states_of_directions(check: Check) -> None:
    """The final state of a backward layer is its output at the first timestep; a bidirectional one has one of each."""
    check.requires("final state")

    def examine(case: Case) -> bool:
        return laws.judge_parts(check, case, check.run(case), "states")

    laws.for_each(check, ["layer"], laws.TURNED, examine, where=laws.has_parts, return_state=True)


@pytest.mark.clause("10.5")
def test_last_output_of_directions(check: Check) -> None:
    """The last output of a backward layer is its output at the first timestep; a bidirectional one joins two."""

    def examine(case: Case) -> bool:
        return check.judge(case, check.run(case))

    laws.for_each(check, ["layer"], laws.TURNED, examine, where=laws.has_parts, return_sequences=False)


@pytest.mark.clause("10.6")
def test_directions_under_a_mask(check: Check) -> None:
    """A backward or bidirectional layer passes over what is not valid, and begins at the last valid timestep."""

    def examine(case: Case) -> bool:
        laws.judge_parts(check, case, check.run(case), *_PARTS)
        return laws.tells(check, case, laws.without_mask(check, case), *_PARTS)

    state = check.offers("final state")
    laws.for_each(check, ["layer"], laws.turned_and_masked(), examine, where=laws.is_short, return_state=state)


@pytest.mark.clause("10.7")
def test_stacked_directions(check: Check) -> None:
    """A layer above a backward or bidirectional one reads its outputs at each timestep."""

    def examine(case: Case) -> bool:
        return check.judge(case, check.run(case))

    laws.for_each(check, ["stack"], laws.TURNED, examine, where=laws.is_short)


@pytest.mark.clause("10.6", "10.7", modes="main", dtypes=("float32",))
def test_stacked_directions_under_a_mask(check: Check) -> None:
    """In a stack of bidirectional layers, each of them passes over what is not valid."""

    def examine(case: Case) -> bool:
        laws.judge_parts(check, case, check.run(case), *_PARTS)
        return laws.tells(check, case, laws.without_mask(check, case), *_PARTS)

    both = [{**masking, "direction": "bidirectional"} for masking in laws.maskings()]
    laws.for_each(check, ["stack"], both, examine, where=laws.is_short, return_sequences=False)


def _judge_outputs(check: Check, *, direction: str, from_given_state: bool = False) -> None:
    """Judge the outputs alone of layers in a direction: their final states are the subject of 10.5."""

    def examine(case: Case) -> bool:
        output = check.run(case, initial_state=case.initial_state if from_given_state else None)
        return laws.judge_parts(check, case, output, "valid outputs", from_given_state=from_given_state)

    check.for_all("layer", examine, where=laws.has_parts, direction=direction)
