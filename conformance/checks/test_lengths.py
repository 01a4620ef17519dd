"""Clauses 9.1, 9.2, 9.8 and 11.7 of SPEC.md for lengths that are seldom drawn: all alike, one, and none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import Structure
from rnn_conformance.conformance.cases.profiles import FLOAT32
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.checks.refusals import attempt
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import SubjectRaised
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.reference.model.architecture import DIRECTIONS
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.states import state_arrays


def _cases(check: Check, patterns: Sequence[str]) -> Iterator[Case]:
    """Single layers of more than one sequence, in each direction, under each kind of masking that can say these."""
    for direction, masking, pattern in product(DIRECTIONS, ("lengths", "mask"), patterns):
        if check.offers(masking) and (direction == "forward" or check.offers(direction)):
            how = {"direction": direction, "masking": masking, "return_state": check.offers("final state")}
            for case in few_cases(check, ["layer"], where=_has_neighbours, pattern=pattern, **how):
                yield from (replace(case, seed=check.seed + k) for k in range(check.profile.draws))


def _masked(check: Check) -> None:
    """Raise Unsupported, with the reason for lengths, where the subject takes neither lengths nor masks."""
    if not check.offers("mask"):
        check.requires("lengths")


def _has_neighbours(structure: Structure) -> bool:
    return laws.is_short(structure) and structure.batch > 1


@pytest.mark.clause("9.1", "9.2", modes="main", dtypes=FLOAT32, thrifty=())
def test_lengths_seldom_drawn(check: Check) -> None:
    """Sequences that are all as long, though padded, or of one timestep each, end at their last valid timestep."""
    given = check.offers("initial state")

    def examine(case: Case) -> bool:
        output = check.run(case, initial_state=case.initial_state if given else None)
        parts = ("valid outputs", "states")
        laws.judge_parts(check, case, output, *parts, from_given_state=given)
        wrong = laws.without_mask(check, case, from_given_state=given)
        return laws.tells(check, case, wrong, *parts, from_given_state=given)

    _masked(check)
    check.every(_cases(check, ("alike", "single")), examine, initial_state=given)


@pytest.mark.clause("9.8", modes="main", dtypes=FLOAT32, thrifty=())
def test_sequence_without_a_timestep(check: Check) -> None:
    """A sequence without a valid timestep ends, to the bit, where it began, and the others are as they would be."""
    check.requires("final state")
    given = check.offers("initial state")
    refused: set[str] = set()

    def examine(case: Case) -> bool | None:
        assert case.mask is not None
        empty = ~case.mask.any(axis=1)
        if not empty.any():
            return None
        state = case.initial_state if given else None
        output = attempt(partial(check.run, case, initial_state=state))
        if isinstance(output, SubjectRaised):
            if case.architecture.masking == "lengths":
                refused.add("lengths of zero")
                return None
            raise output
        laws.judge_parts(check, case, output, "valid outputs", "states", from_given_state=given)
        for (name, h), (_, first) in zip(
            state_arrays("final_state", output.final_state), state_arrays("", case.initial_state), strict=True
        ):
            wanted = first[empty] if given else np.zeros_like(first[empty])
            same_bits(f"{name} of sequences without a valid timestep", h[empty], wanted, "it is their initial state")
        return True

    _masked(check)
    check.every(_cases(check, ("empty", "nothing")), examine, initial_state=given)
    if refused and not check.evidence.examples:
        raise Unsupported("lengths of zero are refused, and no mask can be given")


@pytest.mark.clause("9.8", "11.7", modes="main", dtypes=FLOAT32, thrifty=())
def test_gradients_of_lengths_seldom_drawn(check: Check) -> None:
    """The gradient of the final state of a sequence without a valid timestep falls to its initial state alone."""
    check.requires("gradients")
    check.requires("final state")
    given, choices = check.offers("initial state"), check.subject.description.choices

    def examine(case: Case) -> bool | None:
        valid: Mask = laws.shows_valid(case, choices)[..., np.newaxis]
        outputs = case.cotangent.outputs
        cotangent = replace(case.cotangent, outputs=np.where(valid, outputs, outputs.dtype.type(0)))
        found = attempt(partial(check.gradients, case, cotangent=cotangent, from_given_state=given))
        if isinstance(found, SubjectRaised):
            if case.architecture.masking == "lengths" and case.pattern in ("empty", "nothing"):
                return None
            raise found
        return check.judge_gradients(case, found, cotangent=cotangent, from_given_state=given)

    _masked(check)
    check.every(_cases(check, ("alike", "single", "empty", "nothing")), examine, initial_state=given)
