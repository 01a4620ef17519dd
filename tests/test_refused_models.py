"""Models that an adapter refuses drop out of a check, are counted, and hide neither what is wrong nor what is right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from concluding import concluded

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.protocol import Network, Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.fingerprints import fingerprints
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.mutants.base import SOUND, Sound
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.model.architecture import Architecture, Layer

RECURRENCE = "test_values.py::test_recurrence"


@dataclass(frozen=True)
class Limited:
    """An adapter that refuses layers of more than so many units, and says so before or not."""

    most: int
    network: type[Sound] = Sound
    description: Description = SOUND

    def describe(self) -> Description:
        return self.description

    def prepare(self, architecture: Architecture) -> Network:
        if max(layer.units for layer in architecture.layers) > self.most:
            raise Unsupported(f"at most {self.most} units")
        return self.network(architecture, self.description.choices)


def case_of(units: int) -> Case:
    return Case(Architecture((Layer(2, units),)), 2, 3, "unit", 0)


DECLARED = replace(SOUND, unsupported={"any size": "the kernel is written for few units"})


def test_what_is_wrong_is_found_in_what_remains() -> None:
    """U is transposed in the few models that are not refused, and so the check fails."""
    transposed = catalogue()["recurrent-kernel-transposed"].network
    record = concluded(Limited(4, transposed), RECURRENCE, profile="default")
    assert record.verdict == "fails"
    assert 0 < record.refusals["at most 4 units"] < record.structures


@pytest.mark.slow
def test_what_is_right_keeps_its_examples() -> None:
    """As many examples as with no refusal: others are drawn in the place of what is refused, which is counted."""
    everything = concluded(Limited(10**6), RECURRENCE, profile="default")
    record = concluded(Limited(16), RECURRENCE, profile="default")
    assert (record.verdict, record.examples) == ("conforms", everything.examples)
    assert record.structures == everything.structures
    assert set(record.refusals) == {"at most 16 units"}
    assert 0 < record.refusals["at most 16 units"] < record.structures / 2
    assert everything.refusals == {}


def test_refused_altogether() -> None:
    """Only where no model remains, the check is unsupported, with the reason; and it has no frozen examples."""
    record = concluded(Limited(0), RECURRENCE)
    assert (record.verdict, record.message, record.examples) == ("unsupported", "at most 0 units", 0)
    assert record.refusals == {"at most 0 units": record.structures}


@pytest.mark.slow
def test_more_than_half_refused_is_not_trusted() -> None:
    """Unless the adapter has said that it takes some sizes only."""
    record = concluded(Limited(3), RECURRENCE, profile="default")
    assert record.verdict == "untrusted"
    assert "models were refused, which is not declared: at most 3 units" in record.message
    assert concluded(Limited(3, Sound, DECLARED), RECURRENCE, profile="default").verdict == "conforms"


def test_some_searches_refused() -> None:
    """A check goes on with its other searches, here with those of the other kind of masking."""

    class WithoutLengths(Limited):
        def prepare(self, architecture: Architecture) -> Network:
            if architecture.masking == "lengths":
                raise Unsupported("no lengths")
            return super().prepare(architecture)

    record = concluded(WithoutLengths(10**6), "test_masks.py::test_final_state_under_a_mask")
    assert (record.verdict, list(record.refusals)) == ("conforms", ["no lengths"])
    assert record.examples


def test_single_examples_and_given_cases() -> None:
    """So it is for cases that are not searched for, and for examples that are none of the cases."""

    def function(check: Check) -> None:
        def examine(case: Case) -> bool:
            check.run(case)
            return True

        cases = [case_of(units) for units in (9, 3, 8, 2)]
        check.every(cases, examine)
        for case in cases:
            check.example(partial(examine, case))

    record = concluded(Limited(4), function)
    assert (record.examples, record.refusals) == (4, {"at most 4 units": 4})


def test_refused_examples_leave_no_fingerprints() -> None:
    """What was not run has no bits to compare; the frozen examples after it have theirs."""

    def function(check: Check) -> None:
        for units in (9, 3):
            check.every([case_of(units)], lambda case: bool(check.run(case)))

    check = Check("", Subject(Limited(4)), "float32", "eager", PROFILES["smoke"], 0, 1, Journal(None))
    (only,) = fingerprints(check, function)
    assert only.example == str(case_of(3))


@pytest.mark.parametrize(("adapter", "verdict"), [(Limited(10**6), "conforms"), (Limited(4), "fails")])
def test_refusing_what_is_offered(adapter: Limited, verdict: str) -> None:
    """Clause 14.5: a limit that is not declared is a failure of its own, and one that is declared is not."""
    check = "test_refusals.py::test_what_is_offered_is_not_refused"
    record = concluded(adapter, check, profile="default")
    assert record.verdict == verdict
    declared = concluded(replace(adapter, description=DECLARED), check, profile="default")
    assert (declared.verdict, declared.message) == ("unsupported", "the kernel is written for few units")


def test_examples_are_counted_by_clause() -> None:
    """Each record of several clauses says of how many examples each could have been seen to be broken."""
    record = concluded(Limited(10**6), "test_shapes.py::test_outputs")
    assert record.by_clause["2.4"] == record.discriminating == record.examples
    assert record.by_clause["2.1"] + record.by_clause["2.2"] == record.examples
    assert 0 < record.by_clause["2.1"] < record.examples


@pytest.mark.parametrize(("of_ten", "verdict"), [(1, "untrusted"), (2, "conforms")])
def test_clause_that_few_examples_could_break(of_ten: int, verdict: str) -> None:
    """Below one in five, a clause is not trusted, however many examples speak of the others that a check cites."""
    told = [{"1.1", "1.3"} if k < of_ten else {"1.1"} for k in range(10)]

    def function(check: Check) -> None:
        for one in told:
            check.example(lambda one=one: one)

    record = concluded(Limited(10**6), function, clauses=("1.1", "1.3"))
    assert record.verdict == verdict
    assert record.by_clause == {"1.1": 10, "1.3": of_ten}
    if verdict == "untrusted":
        assert record.message == "clause 1.3: 1 of 10 examples could have told a wrong layer from a right one"


def test_numbers_of_numpy_count_as_well() -> None:
    """An examination may return NumPy's own True."""

    def function(check: Check) -> None:
        check.example(lambda: np.bool_(True))  # type: ignore[arg-type, return-value]

    assert concluded(Limited(10**6), function, clauses=("1.1", "1.3")).by_clause == {"1.1": 1, "1.3": 1}
