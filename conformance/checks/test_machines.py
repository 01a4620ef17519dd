"""Clauses 1.8, 1.9, 1.11 and 2.8 of SPEC.md: layers wired as finite machines, whose every bit a person can predict."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases import machines
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.machines import PARITY, Automaton
from rnn_conformance.conformance.cases.profiles import FLOAT32, SIMPLE_RNN
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights

_ALL = ("float16", "bfloat16", "float32", "float64")
_BATCH = 2

_UNITS, _FEATURES = 12, 5
"""As many as the largest of the machines needs."""


@pytest.mark.clause("1.9", "1.11", dtypes=_ALL, thrifty=("bfloat16", "float32"), frozen=False, cells=SIMPLE_RNN)
def test_shift_register(check: Check) -> None:
    """A tanh layer wired as a shift register passes 0, 1 and -1 along, exactly, for 300 timesteps."""
    check.requires("tanh")
    units = 7
    signal = np.random.default_rng(check.seed).choice([-1, 0, 1], (_BATCH, _timesteps(check), 1))
    held = machines.shifted(signal, units)
    weights = machines.register(machines.SATURATED, units, check.dtype)
    why = "unit k repeats the input k steps later"
    check.example(lambda: _gives(check, "tanh", weights, signal, held, why), activation="tanh")


@pytest.mark.clause("1.9", "1.11", dtypes=_ALL, thrifty=FLOAT32, frozen=False, cells=SIMPLE_RNN)
def test_latches(check: Check) -> None:
    """A tanh layer wired as latches keeps, exactly, the last 1 or -1 that each of them read, for 300 timesteps."""
    check.requires("tanh")
    units = 5
    # Mostly 0, so that the latches have something to hold.
    signal = np.random.default_rng(check.seed).choice([-1, 0, 1], (_BATCH, _timesteps(check), units), p=[0.1, 0.8, 0.1])
    signal[1, 0], signal[1, 1:] = 1, 0  # nothing is read any more: in the second sequence all are held to the end
    weights = machines.latches(units, check.dtype)
    held = machines.latched(signal)
    why = "a latch holds the last number that was not 0"
    check.example(lambda: _gives(check, "tanh", weights, signal, held, why), activation="tanh")


@pytest.mark.clause("1.11", dtypes=_ALL, thrifty=FLOAT32, frozen=False, cells=SIMPLE_RNN)
def test_clock(check: Check) -> None:
    """A layer whose U moves every unit on by one counts timesteps, exactly, for 300 of them."""
    units = 7
    signal = np.zeros((_BATCH, _timesteps(check), 1), np.int64)
    signal[:, 0] = 1
    signal[1, 3] = 2  # another hand, in the second sequence
    weights, shown = machines.clock(units, check.dtype), machines.clocked(signal, units)
    for activation in _offered(check, ("linear", "relu")):
        check.example(
            partial(_gives, check, activation, weights, signal, shown, "the units go round"), activation=activation
        )


@pytest.mark.clause(
    "1.8", "2.8", dtypes=_ALL, thrifty=("float16", "bfloat16", "float32"), frozen=False, cells=SIMPLE_RNN
)
def test_every_bit_is_carried(check: Check) -> None:
    """A relu or linear layer that only passes numbers along keeps every one of their bits, for 300 timesteps."""
    units, timesteps = 7, _timesteps(check)
    last_bit = 2 * check.precision.unit_roundoff  # of numbers from 1 to 2, as products read them
    drawn = np.random.default_rng(check.seed).integers(round(1 / last_bit), size=(_BATCH, timesteps, 1))
    signal = 1 + drawn * last_bit
    # Each number is multiplied by 1 and added to zeros: there is nothing to round.
    weights = machines.register(1, units, check.dtype)
    held = machines.shifted(signal, units)
    for activation in _offered(check, ("linear", "relu")):
        check.example(
            partial(_gives, check, activation, weights, signal, held, "unit k repeats the input k later"),
            activation=activation,
        )


@pytest.mark.clause("1.11", dtypes=_ALL, thrifty=FLOAT32, frozen=False, cells=SIMPLE_RNN)
def test_parity(check: Check) -> None:
    """A layer wired to tell odd from even does so, exactly, for 300 timesteps, in tanh, relu and sigmoid."""
    for activation in _offered(check, machines.CODES):
        check.example(
            partial(_runs, check, PARITY, activation, _BATCH, _timesteps(check), check.seed), activation=activation
        )


@pytest.mark.clause("1.11", dtypes=_ALL, thrifty=FLOAT32, frozen=False, cells=SIMPLE_RNN)
def test_counter(check: Check) -> None:
    """A layer wired to count modulo 5 does so, exactly, for 300 timesteps, in tanh, relu and sigmoid."""
    for activation in _offered(check, machines.CODES):
        check.example(
            partial(_runs, check, machines.counter(5), activation, _BATCH, _timesteps(check), check.seed),
            activation=activation,
        )


@pytest.mark.clause("1.11", dtypes=_ALL, thrifty=FLOAT32, frozen=False, cells=SIMPLE_RNN)
def test_finite_automaton(check: Check) -> None:
    """A layer wired as a finite automaton that was drawn at random has exactly the outputs of that automaton."""
    timesteps, activations = _timesteps(check), _offered(check, machines.CODES)

    def examine(case: Case) -> bool:
        # The case says which automaton it is by its seed, and stands for nothing else.
        states, letters = ((2, 2), (3, 2), (4, 3))[case.seed % 3]
        automaton = machines.drawn(np.random.default_rng(case.seed), states, letters)
        return _runs(check, automaton, case.architecture.layers[0].cell.activation, case.batch, timesteps, case.seed)

    examples = check.profile.examples if check.in_main_mode else check.profile.other_examples
    count = 1 if check.is_spare else -(-examples // 2)
    seeds = range(3 * check.seed, 3 * check.seed + count)
    models = [_architecture(check, activations[seed % len(activations)]) for seed in seeds]
    check.every(
        [Case(model, _BATCH, timesteps, "integers", seed) for model, seed in zip(models, seeds, strict=True)], examine
    )


def _timesteps(check: Check) -> int:
    """Hundreds, but in modes that run through a Python loop."""
    return 300 if check.in_main_mode else 30


def _offered(check: Check, activations: Iterable[str]) -> list[str]:
    """Those of the activations that the subject has; only the first where compiling takes most of the time."""
    offered = [name for name in activations if check.offers(name)]
    if not offered:
        raise Unsupported("none of the activations that this check needs is offered")
    all_of_them = check.in_main_mode and (check.dtype == "float32" or not check.profile.thrifty)
    return offered if all_of_them else offered[:1]


def _runs(check: Check, automaton: Automaton, activation: str, batch: int, timesteps: int, seed: int) -> bool:
    """Whether the layer that is the automaton reads letters at random as the automaton does."""
    word = np.random.default_rng(seed).integers(automaton.letters, size=(batch, timesteps))
    return _gives(
        check,
        activation,
        automaton.weights(activation, check.dtype),
        automaton.inputs(word, check.dtype),
        automaton.outputs(word, activation, check.dtype),
        f"unit {automaton.letters} s + a is on where the state was s and the letter is a, and the next state is "
        f"{automaton.follows}[s][a]",
    )


def _gives(
    check: Check, activation: str, weights: LayerWeights, inputs: NDArray[Any], wanted: NDArray[Any], why: str
) -> bool:
    """Raise NonConforming unless a layer of these weights gives exactly these outputs.

    All machines are part of one layer, which has to be compiled once: units and features that they do not need have
    weights of zero, and nobody looks at them.
    """
    units, features = weights.W.shape
    network = check.subject.network(_architecture(check, activation))
    network.load(Weights((_in_the_corner(weights),)))
    x = np.zeros((*inputs.shape[:-1], _FEATURES), dtype_of(check.dtype))
    x[..., :features] = inputs
    same_bits("outputs", network.run(x).outputs[..., :units], check.stored(wanted.astype(x.dtype)), why)
    return len({h.tobytes() for h in wanted[0]}) > 1


def _in_the_corner(weights: LayerWeights) -> LayerWeights:
    """Kernels and bias of the one layer, these in their first rows and columns, and zeros elsewhere."""
    units, features = weights.W.shape
    W, U, b = (np.zeros(shape, weights.W.dtype) for shape in ((_UNITS, _FEATURES), (_UNITS, _UNITS), (_UNITS,)))
    W[:units, :features], U[:units, :units], b[:units] = weights.W, weights.U, weights.b
    return LayerWeights({"W": W, "U": U, "b": b})


def _architecture(check: Check, activation: str) -> Architecture:
    return Architecture((Layer(_FEATURES, _UNITS, SimpleRnn(activation)),), dtype=check.dtype, mode=check.mode)
