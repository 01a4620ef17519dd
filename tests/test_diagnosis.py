"""Diagnosis: a failing layer is recognised by what it does, and one that is like no mutant is not called one."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Adapter
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import checks
from rnn_conformance.conformance.engine.check import Check, Function
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.explaining import diagnosis as diagnosing
from rnn_conformance.conformance.explaining.diagnosis import diagnose
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.base import SOUND, MutantAdapter, Sound
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.selftest.trials import failure_of
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.model.weights import Array

RECURRENCE = "test_values.py::test_recurrence"


def failed(adapter: Adapter, name: str, dtype: str = "float32") -> tuple[Function, Check, NonConforming]:
    """A check after it failed, as a run leaves it."""
    check = Check(name, Subject(adapter), dtype, "eager", PROFILES["smoke"], 0, 1, Journal(None))
    failure = failure_of(check, checks()[name])
    assert isinstance(failure, NonConforming), failure
    return checks()[name], check, failure


def diagnosis(adapter: Adapter, name: str = RECURRENCE) -> list[str]:
    return diagnose(*failed(adapter, name))


@pytest.fixture
def among_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every eighth fault of the catalogue, and those that are looked for: all of them take seconds."""
    names = {*list(catalogue())[::8], "bias-negated", "input-gate-tied-to-the-forget-gate"}
    some = {name: fault for name, fault in catalogue().items() if name in names}
    monkeypatch.setattr(diagnosing, "catalogue", lambda: some)


@pytest.mark.usefixtures("among_some")
def test_fault_is_named() -> None:
    """Where nothing else computes the same, the one sentence says it all."""
    assert diagnosis(catalogue()["bias-negated"].adapter()) == ["The bias is subtracted"]


@pytest.mark.slow
def test_subject_is_left_as_it_was() -> None:
    """What the check found stays, and the subject is not called."""
    function, check, failure = failed(catalogue()["recurrent-kernel-transposed"].adapter(), RECURRENCE)
    examples, failing = check.evidence.examples, check.evidence.failing
    assert "U is transposed" in diagnose(function, check, failure)
    assert (check.evidence.examples, check.evidence.failing) == (examples, failing)


@pytest.mark.slow
def test_unknown_fault_has_no_name() -> None:
    """A layer that is wrong in a way of its own is not said to be like another."""

    class OwnFault(Sound):
        def activate(self, name: str, z: Array) -> Array:
            return super().activate(name, z) * z.dtype.type(0.9375)

    assert diagnosis(MutantAdapter(OwnFault)) == []


@pytest.mark.slow
def test_rounding_does_not_hide_a_fault() -> None:
    """A subject with the fault whose sums are rounded otherwise is recognised all the same."""

    class BackToFront(catalogue()["bias-negated"].network):  # type: ignore[name-defined,misc]
        def product(self, x: Array, kernel: Array) -> Array:
            return np.ascontiguousarray(x[:, ::-1]) @ np.ascontiguousarray(kernel[:, ::-1]).T

    assert diagnosis(MutantAdapter(BackToFront)) == ["The bias is subtracted"]


def test_mutant_that_breaks_the_check_explains_nothing() -> None:
    """An exception while a mutant is tried never ends a run."""
    _, check, failure = failed(catalogue()["bias-negated"].adapter(), RECURRENCE)

    def breaks(check: Check) -> None:
        raise ZeroDivisionError

    assert diagnose(breaks, check, failure) == []


def test_failure_without_an_example() -> None:
    """Where no example is to blame, there is nothing to run again."""
    check = Check(RECURRENCE, Subject(MutantAdapter(Sound)), "float32", "eager", PROFILES["smoke"], 0, 1, Journal(None))
    assert diagnose(checks()[RECURRENCE], check, NonConforming("it does not conform")) == []


@pytest.mark.slow
def test_choices_are_those_of_the_subject() -> None:
    """Mutants take the subject's own choices, modes and dtypes, and so do not differ by these."""
    adapter = catalogue()["mask-ignored"].adapter()
    assert adapter.describe() == SOUND
    assert "The mask is not used" in diagnosis(adapter, "test_masks.py::test_final_state_under_a_mask")
