"""The networks of a subject: each is prepared once, and anew after a call that raised."""

from __future__ import annotations

from typing import Any

import pytest

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.checks.catalogue import checks
from rnn_conformance.conformance.engine.subject import Subject, SubjectRaised
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.base import MutantAdapter, Sound
from rnn_conformance.conformance.selftest.trials import check_of, failure_of
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output


class BreaksForGood(Sound):
    """Once a call was refused, every further one raises."""

    broken = False

    def run(self, inputs: Inputs, **given: Any) -> Output:
        if self.broken:
            raise TypeError("it is broken")
        self.broken = True
        output = super().run(inputs, **given)
        self.broken = False
        return output


CASE = Case(Architecture((Layer(3, 2),)), 2, 4, "unit", 0)


def failure_in(name: str) -> object:
    full = next(each for each in checks() if each.endswith(f"::{name}"))
    return failure_of(check_of(full, Subject(MutantAdapter(BreaksForGood)), "float32", "smoke", 0), checks()[full])


@pytest.mark.parametrize("memory", ["laid out", "as it lies"])
def test_prepared_anew_after_it_raised(memory: str) -> None:
    """Who holds the network goes on with the one that raised; who asks for it gets another one."""
    subject = Subject(MutantAdapter(BreaksForGood))
    network = subject.network(CASE.architecture)
    network.load(CASE.weights)
    assert subject.network(CASE.architecture) is network
    called = network if memory == "laid out" else network.as_they_lie()
    with pytest.raises(SubjectRaised):
        called.run(CASE.inputs[..., :1])
    with pytest.raises(SubjectRaised, match="it is broken"):
        network.run(CASE.inputs)
    again = subject.network(CASE.architecture)
    again.load(CASE.weights)
    assert again.run(CASE.inputs).outputs.shape == (2, 4, 2)


@pytest.mark.parametrize("name", ["test_wrong_initial_state", "test_wrong_number_of_features", "test_recurrence"])
def test_what_is_refused_spoils_nothing_else(name: str) -> None:
    """That it breaks for good is not to be seen by a check of something else."""
    assert failure_in(name) is None


def test_it_is_found_where_it_is_asked_for() -> None:
    """The check that calls once more after a refused call meets it."""
    assert isinstance(failure_in("test_calls_after_a_refused_one"), NonConforming)
