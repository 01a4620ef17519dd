"""Gated cells wired by hand: the reference on the wiring is the machine, and shows each activation by its door."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rnn_conformance.conformance.cases import gated_machines, machines
from rnn_conformance.conformance.cases.doors import architecture_of, doors
from rnn_conformance.conformance.cases.gated_machines import Machine
from rnn_conformance.conformance.cases.wiring import Gate, wired
from rnn_conformance.reference.arithmetic.activations import GATE_ACTIVATIONS
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import Weights

LSTMS = (Lstm(), Lstm(recurrent_bias="all"), Lstm(forget_bias=1.0), Lstm(recurrent_activation="hard_sigmoid"))
GRUS = (
    *(Gru(), Gru(reset="before"), Gru(keep="1-z"), Gru(recurrent_bias="candidate")),
    Gru(reset="before", recurrent_bias="none", keep="1-z", recurrent_activation="hard_sigmoid_fifth"),
)
RNG = np.random.default_rng(0)
SIGNAL = RNG.choice([-1, 0, 1], (2, 300, 2), p=[0.1, 0.8, 0.1])
SELECTED = RNG.integers(2, size=(2, 300))
WORD = RNG.integers(3, size=(2, 300))
HOLDS = RNG.random((2, 300)) < 0.3
HOLDS[:, 0] = False
DRAWN = machines.drawn(RNG, 4, 3)

OF_LSTM: dict[str, Callable[[Lstm], Machine]] = {
    "counting": lambda cell: gated_machines.counting(SIGNAL, 0.0),
    "latches": lambda cell: gated_machines.lstm_latches(SIGNAL),
    "automaton in c": lambda cell: gated_machines.automaton_in_c(DRAWN, WORD, HOLDS),
    "automaton in o": lambda cell: gated_machines.automaton_in_o(DRAWN, WORD),
}
OF_GRU: dict[str, Callable[[Gru], Machine]] = {
    "latches": lambda cell: gated_machines.gru_latches(cell, SIGNAL),
    "multiplexer": lambda cell: gated_machines.multiplexer(cell, SIGNAL, SELECTED),
    "automaton": lambda cell: gated_machines.automaton_in_n(cell, DRAWN, WORD, HOLDS),
}


def is_the_machine(cell: Cell, machine: Machine, dtype: str = "float32") -> None:
    """The reference on these wires shows all that is known of the machine."""
    layer = Layer(machine.inputs.shape[-1], machine.outputs.shape[-1], cell)
    weights = Weights((wired(layer, machine.gates, dtype, both_biases=True),))
    state = ((tuple(np.full((2, layer.units), number, dtype) for number in machine.start),),)
    architecture = Architecture((layer,), dtype=dtype, return_state=True)
    output = network.run(architecture, weights, machine.inputs.astype(dtype), state)
    assert output.final_state is not None
    known = ~np.isnan(machine.outputs)
    assert known.any()
    np.testing.assert_array_equal(output.outputs[known], machine.outputs[known])
    if machine.final is not None:
        np.testing.assert_array_equal(output.final_state[0][0][1], machine.final)


@pytest.mark.parametrize("cell", LSTMS, ids=str)
@pytest.mark.parametrize("name", OF_LSTM)
def test_lstm_is_the_machine(name: str, cell: Lstm) -> None:
    """For 300 timesteps, to the last bit, whichever of its variants is wired."""
    is_the_machine(cell, OF_LSTM[name](cell))


@pytest.mark.parametrize("cell", GRUS, ids=str)
@pytest.mark.parametrize("name", OF_GRU)
def test_gru_is_the_machine(name: str, cell: Gru) -> None:
    """For 300 timesteps, to the last bit, whichever of its variants is wired."""
    is_the_machine(cell, OF_GRU[name](cell))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_machines_in_other_types(dtype: str) -> None:
    """No number of a machine is larger or finer than a half precision has."""
    for of_lstm in OF_LSTM.values():
        is_the_machine(Lstm(), of_lstm(Lstm()), dtype)
    for of_gru in OF_GRU.values():
        is_the_machine(Gru(), of_gru(Gru()), dtype)


def test_counting_by_hand() -> None:
    """c is what was read so far; h is its sign where c is 0 or large, and elsewhere nothing is known of it."""
    machine = gated_machines.counting(np.array([[[1], [-1], [1]]]), 0.0)
    assert machine.final is not None
    assert machine.final.tolist() == [[1]]
    np.testing.assert_array_equal(machine.outputs.ravel(), [np.nan, 0, np.nan])
    assert gated_machines.counting(np.array([[[1], [1]]]), 100.0).outputs.ravel().tolist() == [1, 1]


def test_multiplexer_by_hand() -> None:
    """Two latches, set to 1 and -1 at once, and then what the selected one held is shown a timestep later."""
    signal = np.array([[[1, -1], [0, 0], [0, 1], [0, 0]]])
    machine = gated_machines.multiplexer(Gru(), signal, np.array([[0, 1, 1, 1]]))
    assert machine.outputs[0].tolist() == [[1, -1, 0, 0], [1, -1, 0, -1], [1, 1, 0, -1], [1, 1, 0, 1]]


def test_held_automaton_by_hand() -> None:
    """Parity of 1 1 1, of which the second is not read while the automaton is held."""
    holds = np.array([[False, True, False]])
    machine = gated_machines.automaton_in_n(Gru("relu"), machines.PARITY, np.array([[1, 1, 1]]), holds)
    assert machine.outputs[0].argmax(-1).tolist() == [1, 1, 3]  # even and 1, held, odd and 1
    assert machine.inputs[0].tolist() == [[0, 1, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]]


def test_biases_of_wires() -> None:
    """Both biases carry numbers where they are added, and the candidate's of a GRU, which is within the reset, none."""
    weights = wired(Layer(1, 1, Gru()), {"z": Gate(b=4.0), "n": Gate(b=6.0)}, "float32", both_biases=True)
    assert weights.named["b"].tolist() == [2, 0, 6]
    assert weights.named["c"].tolist() == [2, 0, 0]
    weights = wired(Layer(2, 2, Lstm(recurrent_bias="all")), {"g": Gate(W=3.0, b=4.0)}, "float32", both_biases=True)
    assert weights.W[4:6].tolist() == [[3, 0], [0, 3]]
    assert weights.named["c"][4:6].tolist() == [2, 2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", [*LSTMS, *GRUS, Lstm("relu", output_activation="relu"), Gru("relu")], ids=str)
def test_doors_show_activations(cell: Cell, dtype: str) -> None:
    """What the reference puts out at a door is the activation behind it, to the bit but for one that follows."""
    z = np.linspace(-30, 30, 64, dtype=dtype).reshape(16, 4)
    architecture = architecture_of(cell, 4, dtype, "eager")
    seen = set()
    for door in doors(cell, dtype):
        inputs, state = door.given(z)
        weights = Weights((door.weights(architecture.layers[0], dtype),))
        shown = door.seen(network.run(architecture, weights, inputs, state))
        wanted = GATE_ACTIVATIONS[door.activation].function(z) * door.scale
        if door.then:
            np.testing.assert_allclose(shown, wanted, rtol=8 * np.finfo(dtype).eps)
        else:
            np.testing.assert_array_equal(shown, wanted)
        seen.add(door.role)
    gates = {f"gate {gate}" for gate in cell.gates if gate != cell.candidate}
    lacking = {"gate f"} if isinstance(cell, Lstm) and cell.forget_bias else set()
    assert seen == gates - lacking | {"candidate"} | ({"output"} if isinstance(cell, Lstm) else set())
