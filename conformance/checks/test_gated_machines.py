"""Clauses 1.11, 16.6, 16.7 and 17.4: LSTMs and GRUs wired as finite machines, of which every bit is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases import gated_machines, machines
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.gated_machines import Machine
from rnn_conformance.conformance.cases.machines import Automaton
from rnn_conformance.conformance.cases.profiles import FLOAT32, GRU, LSTM
from rnn_conformance.conformance.cases.wiring import wired
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import Weights

_BATCH = 2
_UNITS, _FEATURES = 12, 5
"""As many as the largest of the machines needs."""

MachineOf = Machine | Callable[[Any], Machine]
"""A machine, or how a cell is wired for it."""

_EXACT: dict[str, Any] = {"dtypes": ("float16", "bfloat16", "float32", "float64"), "thrifty": FLOAT32, "frozen": False}


# Not in float16: there the bounds of c and of h after 300 sums are larger than any c and h, which says nothing.
@pytest.mark.clause("16.6", "16.7", **{**_EXACT, "dtypes": ("bfloat16", "float32", "float64")}, cells=LSTM)
def test_counting(check: Check) -> None:
    """The c of an LSTM is the number of marks that it has read, for 300 timesteps, however large that is."""
    rng, shape = np.random.default_rng(check.seed), (_BATCH, _timesteps(check), _FEATURES)
    marks = rng.choice([0, 1], shape, p=[0.6, 0.4])
    marks[1] *= rng.choice([-1, 1], shape[1:])
    for start in (0.0, 100.0):
        _example(check, gated_machines.counting(marks, start))


@pytest.mark.clause("16.7", **_EXACT, cells=LSTM)
def test_lstm_latches(check: Check) -> None:
    """An LSTM wired as latches keeps, exactly, the last 1 or -1 that each of them read, for 300 timesteps."""
    signal = _seldom(check)
    _example(check, gated_machines.lstm_latches(signal))


@pytest.mark.clause("16.7", "1.11", **_EXACT, cells=LSTM)
def test_lstm_automaton(check: Check) -> None:
    """An LSTM wired as a finite automaton has exactly its states, in c, or in h by its output gate."""
    for automaton, word, holds in _automata(check):
        _example(check, gated_machines.automaton_in_c(automaton, word, holds))
        _example(check, gated_machines.automaton_in_o(automaton, word))


@pytest.mark.clause("17.4", **_EXACT, cells=GRU)
def test_gru_latches(check: Check) -> None:
    """A GRU wired as latches keeps, exactly, the last 1 or -1 that each of them read, for 300 timesteps."""
    signal = _seldom(check)
    _example(check, partial(gated_machines.gru_latches, signal=signal))


@pytest.mark.clause("17.4", **_EXACT, cells=GRU)
def test_gru_multiplexer(check: Check) -> None:
    """A GRU wired as a multiplexer shows, exactly, what the latch that is selected held, for 300 timesteps."""
    signal = _seldom(check)
    selected = np.random.default_rng(check.seed + 1).integers(2, size=signal.shape[:2])
    _example(check, partial(gated_machines.multiplexer, signal=signal, selected=selected))


@pytest.mark.clause("17.4", "1.11", **_EXACT, cells=GRU)
def test_gru_automaton(check: Check) -> None:
    """A GRU wired as a finite automaton has exactly its states, also while its update gate holds them."""
    for automaton, word, holds in _automata(check):
        _example(check, partial(gated_machines.automaton_in_n, automaton=automaton, word=word, holds=holds))


def _timesteps(check: Check) -> int:
    """Hundreds, but in modes that run through a Python loop."""
    return 300 if check.in_main_mode else 30


def _seldom(check: Check) -> NDArray[np.int64]:
    """What latches read, (batch, timesteps, 2): mostly 0, and in the second sequence nothing but the first timestep."""
    rng = np.random.default_rng(check.seed)
    signal = rng.choice([-1, 0, 1], (_BATCH, _timesteps(check), 2), p=[0.1, 0.8, 0.1])
    signal[1, 0], signal[1, 1:] = rng.choice([-1, 1], 2), 0
    return signal


def _automata(check: Check) -> list[tuple[Automaton, NDArray[np.int64], NDArray[np.bool_]]]:
    """Parity, a counter and one that was drawn, with words, and where they are held: a few steps, or many."""
    rng = np.random.default_rng(check.seed)
    found = [machines.PARITY, machines.counter(5), machines.drawn(rng, 4, 3)]
    shape = (_BATCH, _timesteps(check))
    words = [rng.integers(automaton.letters, size=shape) for automaton in found]
    holds = rng.random(shape) < 0.3
    holds[1, shape[1] // 3 : -shape[1] // 3] = True
    holds[:, 0] = False
    return [(automaton, word, holds) for automaton, word in zip(found, words, strict=True)]


def _example(check: Check, machine_of: MachineOf) -> None:
    """Run a machine in every cell that can be wired so, or in the first where each has to be compiled."""
    check.requires("initial state")
    if check.cell == "lstm":
        check.requires("final state")
    cells = [cell for cell in check.cells if _is_limited(cell)]
    if not cells:
        raise Unsupported(f"no {check.cell} of the adapter has tanh for its candidate and its output")
    for cell in cells[:1] if check.profile.thrifty or not check.in_main_mode else cells:
        machine = machine_of if isinstance(machine_of, Machine) else machine_of(cell)
        check.example(partial(_gives, check, cell, machine), activation="tanh")


def _is_limited(cell: Cell) -> bool:
    """Whether candidate and output are tanh, and gates some sigmoid: that is what the machines are wired for."""
    return all((name == "tanh") != (role == "gate") for role, name in cell.activations.items())


def _gives(check: Check, cell: Cell, machine: Machine) -> bool:
    """Raise NonConforming unless the layer that is the machine gives exactly what that does.

    All machines are part of one layer, which has to be compiled once: units and features that they do not need have
    weights of zero, and nobody looks at them. What is no exact number is held against its bound.
    """
    layer, dtype = Layer(_FEATURES, _UNITS, cell), dtype_of(check.dtype)
    architecture = Architecture((layer,), dtype=check.dtype, mode=check.mode, return_state=len(cell.parts) > 1)
    batch, timesteps, features = machine.inputs.shape
    inputs = np.zeros((batch, timesteps, _FEATURES), dtype)
    inputs[..., :features] = machine.inputs
    state = ((tuple(np.full((batch, _UNITS), number, dtype) for number in machine.start),),)
    weights = Weights((wired(layer, machine.gates, check.dtype, both_biases=True),))
    drawn = Case(architecture, batch, timesteps, "unit", check.seed)
    case = drawn.with_arrays(replace(drawn.arrays, weights=weights, inputs=inputs, initial_state=state))
    output = check.run(case, initial_state=state)
    units = machine.outputs.shape[-1]
    _same(check, "outputs", output.outputs[..., :units], machine.outputs, machine.why)
    if machine.final is not None:
        assert output.final_state is not None
        _same(check, "final c", output.final_state[0][0][1][:, :units], machine.final, machine.why)
    check.judge(case, output, from_given_state=True)
    moves = machine.final is not None and bool((machine.final != machine.start[-1]).any())
    return moves or len({h.tobytes() for h in machine.outputs[0]}) > 1


def _same(check: Check, name: str, actual: NDArray[Any], wanted: NDArray[Any], why: str) -> None:
    """Raise NonConforming where a number that is known is another one."""
    known = ~np.isnan(wanted)
    exact = check.stored(np.where(known, wanted, 0).astype(actual.dtype))
    same_bits(name, np.where(known, actual, actual.dtype.type(0)), exact, why)
