"""Finite machines, and the layers that are such a machine: layers whose every output a person can predict.

An automaton with states s and letters a goes from s to `follows[s][a]` when it reads a. The layer that is this
automaton has one unit for each pair (s, a), which is *on* where the automaton was in s and has read a, and *off*
elsewhere. Its inputs are the letters, one-hot, and a last feature that is 1 at the first timestep only.

A unit has to be on where both of two things are so: the letter is a, and the unit that was on leads to s. So each of
them adds a gain G to its pre-activation, and the bias takes away a threshold T that only both can overcome:

    z(s, a) = G [the letter is a] + G [the state was s] - T.

The second bracket is the sum of (h - off) / (on - off) over all units (r, c) with follows[r][c] = s: one of them was
on, or none. Multiplied out this makes

    U = G / (on - off) where follows[r][c] = s and else 0,    b = -T - (the number of those) * off * G / (on - off).

At the first timestep h_0 = 0, and no unit was on. The last feature, which is 1 there, adds G to the units of the first
state and, for tanh, whose off is -1 and not 0, takes back what the bias assumes.

Every pre-activation is exact: weights are small whole multiples of one power of two. With relu z is 1, 0 or -1; with
tanh and sigmoid it lies so far from zero that they give their limits in every precision (clause 7.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.model.weights import Array, LayerWeights

SATURATED = 64
"""tanh is exactly 1 and -1 from here on, in every precision."""


@dataclass(frozen=True)
class Code:
    """What on and off are for one activation, and the gain G and the threshold T that lead to them."""

    on: int
    off: int
    gain: int
    threshold: int


CODES = {
    "tanh": Code(on=1, off=-1, gain=2 * SATURATED, threshold=3 * SATURATED),  # z is 64, -64 or -192
    "relu": Code(on=1, off=0, gain=1, threshold=1),  # z is 1, 0 or -1
    "sigmoid": Code(on=1, off=0, gain=2048, threshold=3072),  # z is 1024, -1024 or -3072
}
"""By activation. linear has no threshold, and can be no automaton but one that ignores its letters (`clock`)."""


@dataclass(frozen=True)
class Automaton:
    """A finite automaton: in state s it reads letter a and goes to state `follows[s][a]`; it begins in state 0."""

    follows: tuple[tuple[int, ...], ...]

    @property
    def states(self) -> int:
        return len(self.follows)

    @property
    def letters(self) -> int:
        return len(self.follows[0])

    @property
    def units(self) -> int:
        return self.states * self.letters

    @property
    def features(self) -> int:
        return self.letters + 1

    def weights(self, activation: str, dtype: str) -> LayerWeights:
        """The layer that is this automaton: unit `s * letters + a` stands for the pair (s, a)."""
        code = CODES[activation]
        weight = code.gain // (code.on - code.off)
        follows = np.ravel(self.follows)
        state, letter = np.divmod(np.arange(self.units), self.letters)
        leads = follows == state[:, np.newaxis]  # [unit, unit before]
        assumed = leads.sum(1) * code.off * weight
        W = np.zeros((self.units, self.features))
        W[np.arange(self.units), letter] = code.gain
        W[:, -1] = code.gain * (state == 0) + assumed
        b = -code.threshold - assumed
        return _weights(W, leads * weight, b, dtype)

    def inputs(self, word: NDArray[np.integer[Any]], dtype: str) -> Array:
        """The inputs (batch, timesteps, features) for the letters `word` (batch, timesteps)."""
        x = np.zeros((*word.shape, self.features), dtype_of(dtype))
        np.put_along_axis(x, word[..., np.newaxis], 1, axis=-1)
        x[:, 0, -1] = 1
        return x

    def outputs(self, word: NDArray[np.integer[Any]], activation: str, dtype: str) -> Array:
        """What the layer must return for the letters `word`, (batch, timesteps, units): the automaton itself, run."""
        code = CODES[activation]
        h = np.full((*word.shape, self.units), code.off, dtype_of(dtype))
        for row, letters in zip(h, word, strict=True):
            state = 0
            for h_t, letter in zip(row, letters, strict=True):
                h_t[state * self.letters + letter] = code.on
                state = self.follows[state][letter]
        return h


PARITY = Automaton(((0, 1), (1, 0)))
"""Whether the letters so far have an odd number of ones."""


def counter(n: int) -> Automaton:
    """Letter 1 counts on modulo n, letter 0 does not."""
    return Automaton(tuple((s, (s + 1) % n) for s in range(n)))


def drawn(rng: np.random.Generator, states: int, letters: int) -> Automaton:
    """An automaton whose transitions are drawn; no two of its letters do the same."""
    while True:
        follows = rng.integers(states, size=(states, letters))
        if len(np.unique(follows, axis=1).T) == letters:
            return Automaton(tuple(map(tuple, follows.tolist())))


def latches(units: int, dtype: str) -> LayerWeights:
    """A tanh layer of `units` latches: feature k sets unit k to 1, resets it to -1, or at 0 leaves it as it is.

    z = 64 h + 128 x is 0 (before the first set), or at least 64 away from it, and has the sign of x where x is not 0.
    """
    one = np.eye(units) * SATURATED
    return _weights(2 * one, one, np.zeros(units), dtype)


def latched(signal: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """What latches hold: at each timestep of (batch, timesteps, units) the last number so far that was not 0."""
    held = signal.copy()
    for t in range(1, held.shape[1]):
        held[:, t] = np.where(signal[:, t] == 0, held[:, t - 1], signal[:, t])
    return held


def register(weight: int, units: int, dtype: str) -> LayerWeights:
    """A layer that passes what it reads on from unit to unit, times `weight` at each.

    With `SATURATED` and tanh it is a shift register of -1, 0 and 1: z is 0 or 64 away from it. With 1 and linear, or
    relu, it is one of any numbers.
    """
    W = np.zeros((units, 1))
    W[0] = weight
    return _weights(W, np.eye(units, k=-1) * weight, np.zeros(units), dtype)


def shifted(signal: NDArray[Any], units: int) -> NDArray[Any]:
    """What a register holds, (batch, timesteps, units): unit k has what was read k timesteps before."""
    held = np.zeros((*signal.shape[:2], units), signal.dtype)
    for k in range(min(units, signal.shape[1])):
        held[:, k:, k] = signal[:, : signal.shape[1] - k, 0]
    return held


def clock(units: int, dtype: str) -> LayerWeights:
    """A linear or relu layer that counts timesteps modulo `units`: what it reads goes round, and adds up."""
    W = np.zeros((units, 1))
    W[0] = 1
    U = np.roll(np.eye(units), 1, axis=0)
    return _weights(W, U, np.zeros(units), dtype)


def clocked(signal: NDArray[np.integer[Any]], units: int) -> NDArray[np.integer[Any]]:
    """What a clock shows, (batch, timesteps, units), after reading (batch, timesteps, 1)."""
    shown = np.zeros((*signal.shape[:2], units), signal.dtype)
    for t in range(signal.shape[1]):
        if t:
            shown[:, t] = np.roll(shown[:, t - 1], 1, axis=-1)
        shown[:, t, 0] += signal[:, t, 0]
    return shown


def _weights(W: Array, U: Array, b: Array, dtype: str) -> LayerWeights:
    to = dtype_of(dtype)
    return LayerWeights({"W": W.astype(to), "U": U.astype(to), "b": b.astype(to)})
