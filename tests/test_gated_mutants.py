"""The layer that mutants of gated cells stand on has no fault of its own, and what is said of them is true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_diagnosis import among_some  # noqa: F401 - fixture

from rnn_conformance.adapters.numpy.adapter import VARIANTS, NumpyAdapter
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.mutants.base import MutantAdapter
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.cells import GATED, SOUND_OF, adapter_of
from rnn_conformance.conformance.selftest.diagnosing import diagnose_mutant
from rnn_conformance.conformance.selftest.trials import try_mutant
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.states import flat
from rnn_conformance.reference.model.weights import Array

LAYERS = (Layer(3, 4, Lstm()), Layer(4, 3, Gru()), Layer(3, 2))


def arrays(adapter: NumpyAdapter | MutantAdapter, case: Case) -> list[Array]:
    """Everything that a call from its state and its gradient give back."""
    network = adapter.prepare(case.architecture)
    network.load(case.weights)
    output = network.run(case.inputs, initial_state=case.initial_state, **case.given)
    found = network.gradients(case.inputs, case.cotangent, initial_state=case.initial_state, **case.given)
    return [output.outputs, *flat(output.final_state), *(array for _, array in found.arrays())]


def is_the_reference(case: Case, sound: str, choices: Choices = Choices()) -> None:
    mutant = MutantAdapter(SOUND_OF[sound], replace(GATED, choices=choices))
    for seen, expected in zip(arrays(mutant, case), arrays(NumpyAdapter(choices), case), strict=True):
        np.testing.assert_allclose(seen, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sound", ["lstm", "gru"])
@pytest.mark.parametrize(("masking", "pattern"), [("none", ""), ("lengths", "right"), ("mask", "gaps")])
@pytest.mark.parametrize(
    ("direction", "merge", "sequences"),
    [
        ("forward", "concat", True),
        ("backward", "concat", False),
        ("bidirectional", "mul", True),
        ("bidirectional", "mul", False),
    ],
)
def test_cells_in_small_steps_are_the_reference(
    sound: str, direction: str, merge: str, sequences: bool, masking: str, pattern: str
) -> None:
    """Outputs, every part of the states, and gradients, in a stack of different cells."""
    layers = tuple(replace(layer, direction=direction, merge=merge) for layer in LAYERS)
    how = {"return_sequences": sequences, "return_state": True, "dtype": "float64"}
    is_the_reference(Case(Architecture(layers, masking=masking, **how), 3, 6, "unit", 2, pattern), sound)  # type: ignore[arg-type]


@pytest.mark.parametrize("padded", ["zero", "repeat", "continue"])
def test_padded_outputs_in_small_steps(padded: str) -> None:
    """Where bidirectional layers have another choice, they have it here, too."""
    layers = (replace(LAYERS[0], direction="bidirectional"), Layer(8, 3, Gru()))
    model = Architecture(layers, masking="lengths", dtype="float64", return_state=True)
    choices = Choices(padded_outputs=padded, bidirectional_padded_outputs="zero")
    is_the_reference(Case(model, 3, 6, "unit", 1, "right"), "lstm", choices)


@pytest.mark.parametrize("cell", VARIANTS, ids=str)
def test_variants_in_small_steps(cell: Cell) -> None:
    """Whatever can be chosen, with its gradients."""
    model = Architecture((Layer(3, 4, cell), Layer(4, 4, cell)), dtype="float64", return_state=True)
    is_the_reference(Case(model, 2, 5, "unit", 3), cell.name)


def test_faults_of_gates_leave_other_cells_alone() -> None:
    """In a stack of several cells a fault of one of them is in no layer of another."""
    gru_only = Architecture((Layer(3, 4, Gru()), Layer(4, 2)), dtype="float64", return_state=True)
    case = Case(gru_only, 2, 5, "unit", 1)
    faults = [catalogue()[name] for name in ("forget-bias-of-one", "lstm-gates-reversed", "carried-state-lost-at-once")]
    for fault in faults:
        for seen, expected in zip(arrays(adapter_of(fault), case), arrays(NumpyAdapter(), case), strict=True):
            np.testing.assert_allclose(seen, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "clause"),
    [("forget-bias-of-one", "16.5"), ("reset-before-for-after", "17.1"), ("no-gradient-through-c", "11.1")],
)
def test_faults_of_gates_are_noticed_in_a_run_of_their_cell(name: str, clause: str) -> None:
    """By the clause that is said to be broken, with few examples."""
    tried = try_mutant(name, 0, "smoke")
    assert [kill.clause for kill in tried.kills] == [clause]
    assert tried.broken == ()


@pytest.mark.usefixtures("among_some")
def test_a_fault_of_a_gate_is_recognised() -> None:
    """Only faults of the same cell are told, and the right one is among them."""
    alike = diagnose_mutant("input-gate-tied-to-the-forget-gate", "smoke", 0)["alike"]
    assert alike == ["input-gate-tied-to-the-forget-gate"]


def test_gradients_follow_the_equation_that_a_mutant_has() -> None:
    """What is wrong on the way there is differentiated as it is: the equation is written once."""
    layer = Layer(2, 3, Lstm())
    case = Case(Architecture((layer,), dtype="float64"), 2, 4, "unit", 0)
    network = adapter_of(catalogue()["output-gate-before-the-activation"]).prepare(case.architecture)
    network.load(case.weights)
    found = network.gradients(case.inputs, case.cotangent).inputs
    step = np.zeros_like(case.inputs)
    step[0, 1, 0] = 1e-6
    ahead, behind = (network.run(case.inputs + sign * step).outputs for sign in (1, -1))
    slope = ((ahead - behind) * case.cotangent.outputs).sum() / 2e-6
    assert found is not None
    np.testing.assert_allclose(found[0, 1, 0], slope, rtol=1e-7)
