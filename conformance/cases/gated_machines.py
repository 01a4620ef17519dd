"""Finite machines in gated cells: layers whose gates are 0 or 1, and whose every state a person can predict.

A candidate is 1, 0 or -1 for what is read, and a gate is on or off for it: so a number is taken in, held for hundreds
of timesteps, or handed on, and nothing is ever rounded. The c of an LSTM adds up without end (`counting`). Automata are
those of machines.py, whose units stand for pairs (s, a) of a state and a letter; a last feature says *hold*, and while
it does nothing changes.

Of an LSTM with c = 1, h is tanh(1), which is no exact number: but it is so far from 0 that what it drives is surely on
or off. Where it stands in outputs, nothing is known of it here, and it is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.conformance.cases.machines import Automaton, latched
from rnn_conformance.conformance.cases.regimes import GAIN
from rnn_conformance.conformance.cases.wiring import OFF, ON, Gate
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.model.weights import Array

_MANY = 64.0
"""A c of which tanh is exactly 1, in every precision."""

_DRIVE = 2 * GAIN
"""What a letter adds where h may be tanh(1): half of it is lost in that, and the rest must do."""


@dataclass(frozen=True)
class Machine:
    """Gates wired as a machine, what it reads, and what it shows; the arrays have as many units as it needs.

    `inputs` are (batch, timesteps, features), `start` is a number for each part of the initial state, `outputs` what h
    must be at each timestep (batch, timesteps, units), and `final` what c must be at the end, if there is one. What is
    NaN is not known.
    """

    gates: Mapping[str, Gate]
    inputs: Array
    start: tuple[float, ...]
    outputs: Array
    why: str
    final: Array | None = None


def counting(signal: NDArray[np.integer[Any]], start: float) -> Machine:
    """An LSTM whose c is `start` and all of (batch, timesteps, units) so far; h is 1 as soon as that is large."""
    counted = start + signal.cumsum(1)
    shown = np.where((counted == 0) | (np.abs(counted) >= 20), np.sign(counted), np.nan)
    gates = {"i": ON, "f": ON, "g": Gate(W=GAIN), "o": ON}
    return Machine(gates, signal.astype(float), (0.0, start), shown, "c is the sum of what was read", counted[:, -1])


def lstm_latches(signal: NDArray[np.integer[Any]]) -> Machine:
    """An LSTM whose c holds the last number but 0 of (batch, timesteps, units), and whose h is 0 until then."""
    held = latched(signal)
    takes = _side_by_side(2 * GAIN, signal.shape[-1])
    gates = {
        "i": Gate(W=takes, b=-GAIN),
        "f": Gate(W=-takes, b=GAIN),
        "g": Gate(W=_side_by_side(GAIN, signal.shape[-1], second=True)),
        "o": ON,
    }
    why = "c holds the last number that was not 0"
    return Machine(gates, _taken(signal), (0.0, 0.0), np.where(held == 0, 0.0, np.nan), why, held[:, -1].astype(float))


def automaton_in_c(automaton: Automaton, word: NDArray[np.integer[Any]], holds: NDArray[np.bool_]) -> Machine:
    """An LSTM whose c is 1 in the unit of the automaton's last pair (s, a), and 0 in all others.

    z of the input gate is `_DRIVE` ([the letter is a] + 2 tanh(1) [the state was s] - 2): both together make it 0.52
    times that, and one of them at most -0.47 times. At the first timestep the start, in place of a state, makes it 1/2
    and -1/2. The first letter must be read.
    """
    leads, letter, state = _wiring_of(automaton)
    read = _one_hot(letter, automaton.letters)
    hold = np.zeros((automaton.units, 1))
    W = np.hstack([read, 1.5 * (state == 0)[:, np.newaxis], hold - 4]) * _DRIVE
    gates = {
        "i": Gate(W=W, U=2.0 * _DRIVE * leads, b=-2.0 * _DRIVE),
        "f": Gate(W=_last_feature(2 * GAIN, automaton), b=-GAIN),
        "g": ON,
        "o": ON,
    }
    on = _run(automaton, word, holds, "relu")
    inputs = _with_hold(automaton.inputs(word, "float64"), holds)
    why = f"c is 1 for the last state and letter; the next state is {automaton.follows}[s][a]"
    return Machine(gates, inputs, (0.0, 0.0), np.where(on == 0, 0.0, np.nan), why, on[:, -1])


def automaton_in_o(automaton: Automaton, word: NDArray[np.integer[Any]]) -> Machine:
    """An LSTM whose output gate is the automaton: its c stays so large that h is what that gate is."""
    weights = automaton.weights("sigmoid", "float64")
    assert weights.b is not None
    gates = {"i": OFF, "f": ON, "o": Gate(weights.W, weights.U, weights.b)}
    outputs = automaton.outputs(word, "sigmoid", "float64")
    why = f"h is 1 for the state and letter; the next state is {automaton.follows}[s][a]"
    final = np.full(outputs[:, 0].shape, _MANY)
    return Machine(gates, automaton.inputs(word, "float64"), (0.0, _MANY), outputs, why, final)


def gru_latches(cell: Gru, signal: NDArray[np.integer[Any]]) -> Machine:
    """A GRU whose h holds the last number but 0 of (batch, timesteps, units)."""
    units = signal.shape[-1]
    gates = {
        "z": _keeping(cell, Gate(W=-_side_by_side(2 * GAIN, units), b=GAIN)),
        "n": Gate(W=_side_by_side(GAIN, units, second=True)),
    }
    return Machine(gates, _taken(signal), (0.0,), latched(signal).astype(float), "h holds the last number but 0")


def multiplexer(cell: Gru, signal: NDArray[np.integer[Any]], selected: NDArray[np.integer[Any]]) -> Machine:
    """A GRU of latches and, for each, a unit that shows what it held before, if it is the one that is selected.

    `signal` is (batch, timesteps, 2) and `selected` (batch, timesteps), 0 or 1. The reset gate of a latch and of the
    unit that shows it is on where it is selected: so either place of the reset gives the same.
    """
    latches = gru_latches(cell, signal)
    z, n, W = latches.gates["z"], latches.gates["n"], np.zeros((4, 5))
    W[:2, :4] = z.W
    b = np.array([1, 1, -1, -1]) * (GAIN if cell.keep == "z" else -GAIN)
    of_n = np.zeros((4, 5))
    of_n[:2, :4] = n.W
    shows, select = np.zeros((4, 4)), np.zeros((4, 5))
    shows[[2, 3], [0, 1]] = GAIN
    select[:, 4] = np.array([-1, 1, -1, 1]) * GAIN
    line = (2 * selected - 1)[..., np.newaxis].astype(float)
    before = np.concatenate([np.zeros_like(latches.outputs[:, :1]), latches.outputs[:, :-1]], axis=1)
    shown = np.where(selected[..., np.newaxis] == np.arange(2), before, 0.0)
    gates = {"z": Gate(W, b=b), "r": Gate(select), "n": Gate(of_n, shows)}
    return Machine(
        gates,
        np.concatenate([latches.inputs, line], axis=-1),
        (0.0,),
        np.concatenate([latches.outputs, shown], axis=-1),
        "units 2 and 3 show what units 0 and 1 held before, if they are selected",
    )


def automaton_in_n(
    cell: Gru, automaton: Automaton, word: NDArray[np.integer[Any]], holds: NDArray[np.bool_]
) -> Machine:
    """A GRU whose candidate is the automaton, and whose update gate holds it."""
    weights = automaton.weights(cell.activation, "float64")
    assert weights.b is not None
    gates = {
        "z": _keeping(cell, Gate(W=_last_feature(2 * GAIN, automaton), b=-GAIN)),
        "r": ON,
        "n": Gate(weights.W, weights.U, weights.b),
    }
    outputs = _run(automaton, word, holds, cell.activation)
    why = f"the unit of the state and the letter is on, and the next state is {automaton.follows}[s][a]"
    return Machine(gates, _with_hold(automaton.inputs(word, "float64"), holds), (0.0,), outputs, why)


def _keeping(cell: Gru, z: Gate) -> Gate:
    """The update gate of that cell that keeps h where z would be on."""
    return z if cell.keep == "z" else Gate(-np.asarray(z.W), b=-z.b)


def _taken(signal: NDArray[np.integer[Any]]) -> Array:
    """For each number whether it is to be taken, and then the numbers."""
    return np.concatenate([signal != 0, signal], axis=-1).astype(float)


def _side_by_side(weight: float, units: int, *, second: bool = False) -> Array:
    """A kernel that reads the first `units` features, or the second."""
    blocks = [np.zeros((units, units)), weight * np.eye(units)]
    return np.hstack(blocks if second else blocks[::-1])


def _wiring_of(automaton: Automaton) -> tuple[Array, NDArray[Any], NDArray[Any]]:
    """Which unit before leads to which, and the letter and the state that each unit stands for."""
    state, letter = np.divmod(np.arange(automaton.units), automaton.letters)
    leads: Array = (np.ravel(automaton.follows) == state[:, np.newaxis]).astype(float)
    return leads, letter, state


def _one_hot(which: NDArray[Any], count: int) -> Array:
    found: Array = np.eye(count)[which]
    return found


def _last_feature(weight: float, automaton: Automaton) -> Array:
    """A kernel that reads the feature that says to hold."""
    W = np.zeros((automaton.units, automaton.features + 1))
    W[:, -1] = weight
    return W


def _with_hold(inputs: Array, holds: NDArray[np.bool_]) -> Array:
    """What an automaton reads, and nothing but the last feature where it is to hold."""
    return np.concatenate([np.where(holds[..., np.newaxis], 0, inputs), holds[..., np.newaxis]], axis=-1)


def _run(automaton: Automaton, word: NDArray[Any], holds: NDArray[np.bool_], activation: str) -> Array:
    """The outputs for the letters at which the automaton is not held, and where it is, those before."""
    found = np.empty((*word.shape, automaton.units))
    for row, letters, held in zip(found, word, holds, strict=True):
        read = automaton.outputs(letters[np.newaxis, ~held], activation, "float64")[0]
        row[...] = read[(~held).cumsum() - 1]
    return found
