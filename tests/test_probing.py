"""What a subject passes speaks against faults that would fail it; what it fails speaks against none."""

from __future__ import annotations

import pytest
from test_diagnosis import RECURRENCE, failed

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.explaining import probing
from rnn_conformance.conformance.explaining.diagnosis import recognise
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.cells import adapter_of
from rnn_conformance.conformance.selftest.diagnosing import first_failure
from rnn_conformance.conformance.witnesses.journal import Journal

STATE = "test_state.py::test_initial_state"


def check_of(name: str) -> Check:
    subject = Subject(adapter_of(catalogue()[name]))
    return Check(RECURRENCE, subject, "float32", "eager", PROFILES["smoke"], 0, 1, Journal(None))


def test_what_speaks_against_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that only ignores its initial state passes where a wrong bias does not."""
    monkeypatch.setattr(probing, "_PROBES", (RECURRENCE, STATE))
    ignores, negates = check_of("initial-state-ignored"), check_of("bias-negated")
    assert probing.passed(ignores) == [RECURRENCE]
    assert probing.passed(negates) == []
    assert probing.is_contradicted(negates.subject, ignores, [RECURRENCE])
    assert not probing.is_contradicted(ignores.subject, ignores, [RECURRENCE])
    assert not probing.is_contradicted(ignores.subject, negates, [])


def test_probes_are_run_once_for_a_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not again for each check that it fails."""
    check = check_of("bias-negated")
    monkeypatch.setattr(probing, "_PROBES", (RECURRENCE,))
    first = probing.passed(check)
    monkeypatch.setattr(probing, "_passes", None)
    assert probing.passed(check) is first


def test_probes_are_checks() -> None:
    """By the names that these have today."""
    assert set(probing._PROBES) <= set(probing.checks())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["after-three-hundred-calls", "one-gradient-in-two-hundred", "sigmoid-stops-short"])
def test_rare_and_ambiguous_faults_are_named(name: str) -> None:
    """By the rhythm in which they fail, or by what else they pass."""
    failure = first_failure(catalogue()[name], "default", 0)
    assert failure is not None
    assert recognise(*failure) == [name]


@pytest.mark.slow
def test_recognising_leaves_the_known_fault() -> None:
    """No probe speaks against the very fault that a subject has."""
    assert recognise(*failed(catalogue()["bias-negated"].adapter(), RECURRENCE)) == ["bias-negated"]
