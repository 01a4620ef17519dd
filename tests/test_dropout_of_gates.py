"""Which gates of a cell share a mask of dropout: each declared choice is held to, and nothing else is taken for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import pytest

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.numpy.adapter import NumpyAdapter
from rnn_conformance.conformance.checks.test_dropout_of_gates import (
    test_inputs_that_gates_drop as of_inputs,
)
from rnn_conformance.conformance.checks.test_dropout_of_gates import (
    test_state_that_gates_drop as of_state,
)
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.selftest.trials import check_of, failure_of, try_mutant
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.model.architecture import Choices, Layer

CHOICES = [
    Choices(dropout_gates=inputs, recurrent_dropout_gates=state)
    for inputs, state in product(("shared", "own", "own beside recurrent dropout"), ("shared", "own"))
]


@dataclass(frozen=True)
class Declaring(NumpyAdapter):
    """Layers that drop as `choices` say, of which the description says something else."""

    declared: Choices = Choices()

    def describe(self) -> Description:
        return replace(super().describe(), choices=self.declared)


def failures(adapter: NumpyAdapter, cell: str) -> list[bool]:
    """Whether the checks of the inputs and of the state fail."""
    checks = [check_of("a check", Subject(adapter), "float32", "default", 0, cell) for _ in range(2)]
    found = [failure_of(check, function) for check, function in zip(checks, (of_inputs, of_state), strict=True)]
    assert not [failure for failure in found if isinstance(failure, str)]
    assert all(check.evidence.examples or failure for check, failure in zip(checks, found, strict=True))
    return [failure is not None for failure in found]


@pytest.mark.parametrize("cell", [pytest.param("lstm", marks=pytest.mark.slow), "gru"])
@pytest.mark.parametrize("actual", CHOICES, ids=str)
@pytest.mark.parametrize("declared", CHOICES, ids=str)
def test_declared_masks_are_held_to(cell: str, actual: Choices, declared: Choices) -> None:
    """A declaration passes where it is true, and fails where it is not, for the inputs and for the state."""
    inputs = actual.dropout_gates != declared.dropout_gates
    state = actual.recurrent_dropout_gates != declared.recurrent_dropout_gates
    assert failures(Declaring(actual, declared), cell) == [inputs, state]


def test_number_of_masks() -> None:
    """One for each gate where that is the choice and something is dropped; one in a simple RNN, which has one gate."""
    keras = Choices(dropout_gates="own beside recurrent dropout", recurrent_dropout_gates="own")
    assert keras.masks(Layer(2, 3, Gru(), dropout=0.5)) == (1, 1)
    assert keras.masks(Layer(2, 3, Gru(), recurrent_dropout=0.5)) == (1, 3)
    assert keras.masks(Layer(2, 3, Gru(), dropout=0.5, recurrent_dropout=0.5)) == (3, 3)
    assert keras.masks(Layer(2, 3, dropout=0.5, recurrent_dropout=0.5)) == (1, 1)
    with pytest.raises(ValueError, match="dropout_gates is 'four', but should be one of shared, own"):
        Choices(dropout_gates="four")


@pytest.mark.parametrize(
    "name",
    [
        "inputs-of-lstm-dropped-otherwise",
        "state-of-lstm-dropped-otherwise",
        "inputs-of-gru-dropped-otherwise",
        "update-and-reset-drop-the-same",
    ],
)
def test_faults_are_noticed(name: str) -> None:
    """A fault of the masks fails the check that looks for it."""
    trial = try_mutant(name, 0, "default", False)
    assert [kill.clause for kill in trial.kills] == ["13.8"]
    assert not trial.broken
