"""Finite machines wired as layers: the reference, run on the wiring, is the machine."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rnn_conformance.conformance.cases import machines
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.simple_rnn import simple_rnn
from rnn_conformance.reference.model.weights import LayerWeights

DTYPES = ("float16", "bfloat16", "float32", "float64")


def test_parity_by_hand() -> None:
    """0 1 1 1: even, odd, even, odd; the unit that is on says what the state was and what was read."""
    word = np.array([[0, 1, 1, 1]])
    pairs = [(0, 0), (0, 1), (1, 1), (0, 1)]
    outputs = machines.PARITY.outputs(word, "relu", "float32")
    assert [tuple(np.argwhere(h == 1)[0]) for h in outputs[0]] == [(2 * s + a,) for s, a in pairs]


def test_weights_by_hand() -> None:
    """Parity in relu: a unit is on where its letter and a unit that leads to its state add up to two."""
    weights = machines.PARITY.weights("relu", "float32")
    # Units (even, 0), (even, 1), (odd, 0), (odd, 1); features: letter 0, letter 1, the beginning.
    assert weights.W.tolist() == [[1, 0, 1], [0, 1, 1], [1, 0, 0], [0, 1, 0]]
    assert weights.U.tolist() == [[1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0]]
    assert weights.b is not None
    assert weights.b.tolist() == [-1, -1, -1, -1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", machines.CODES)
@pytest.mark.parametrize("seed", range(5))
def test_layer_is_the_automaton(seed: int, activation: str, dtype: str) -> None:
    """An automaton drawn at random, as a layer, gives for 300 timesteps exactly what the automaton does."""
    rng = np.random.default_rng(seed)
    automaton = machines.drawn(rng, states=2 + seed % 3, letters=2 + seed % 2)
    word = rng.integers(automaton.letters, size=(2, 300))
    outputs = simple_rnn(automaton.inputs(word, dtype), automaton.weights(activation, dtype).named, activation)
    np.testing.assert_array_equal(outputs, automaton.outputs(word, activation, dtype))


@pytest.mark.parametrize("activation", machines.CODES)
@pytest.mark.parametrize("states", [2, 3, 4])
def test_every_sum_is_exact_in_half_precision(activation: str, states: int) -> None:
    """No sum of magnitudes has more than the 8 significant bits of bfloat16, in any order of summation."""
    code = machines.CODES[activation]
    weights = machines.drawn(np.random.default_rng(states), states, 3).weights(activation, "float64")
    assert weights.b is not None
    unit = math.gcd(code.gain, code.threshold)
    for array in (weights.W, weights.U, weights.b):
        assert not (array % unit).any()
    # At any timestep one letter and, at the first, the beginning are read.
    largest = np.abs(weights.W).max(1) + np.abs(weights.W[:, -1]) + np.abs(weights.U).sum(1) + np.abs(weights.b)
    assert largest.max() / unit <= 2**8


def test_counter_counts() -> None:
    """Ones are counted modulo n, zeros are not."""
    counter = machines.counter(3)
    assert counter.follows == ((0, 1), (1, 2), (2, 0))
    on = machines.counter(3).outputs(np.array([[1, 0, 1, 1, 1]]), "relu", "float64").argmax(-1)
    assert (on // 2).tolist() == [[0, 1, 1, 2, 0]]


@pytest.mark.parametrize("seed", range(20))
def test_letters_of_a_drawn_automaton_differ(seed: int) -> None:
    """Two letters that did the same could be exchanged unseen."""
    automaton = machines.drawn(np.random.default_rng(seed), 2, 3)
    assert len(set(zip(*automaton.follows, strict=True))) == 3


def exactly(weights: LayerWeights, inputs: np.ndarray, activation: str, dtype: str, wanted: np.ndarray) -> None:
    outputs = simple_rnn(inputs.astype(dtype_of(dtype)), weights.named, activation)
    np.testing.assert_array_equal(outputs.astype(np.float64), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_other_machines(dtype: str) -> None:
    """Latches, the shift register and the clock are what they are called, for 300 timesteps."""
    signal = np.random.default_rng(0).integers(-1, 2, (2, 300, 5))
    exactly(machines.latches(5, dtype), signal, "tanh", dtype, machines.latched(signal))
    one = signal[..., :1]
    exactly(machines.register(machines.SATURATED, 5, dtype), one, "tanh", dtype, machines.shifted(one, 5))
    first = np.zeros_like(one)
    first[:, 0] = 1
    exactly(machines.clock(5, dtype), first, "linear", dtype, machines.clocked(first, 5))
    assert machines.clocked(first, 5)[0, :7].argmax(-1).tolist() == [0, 1, 2, 3, 4, 0, 1]


def test_latches_by_hand() -> None:
    """Nothing, set, hold, reset, hold, set."""
    assert machines.latched(np.array([[[0], [1], [0], [-1], [0], [1]]])).ravel().tolist() == [0, 1, 1, -1, -1, 1]
