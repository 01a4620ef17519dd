"""One timestep told by hand: where it is known, the reference gives it to the bit; and the regimes of gated cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.adapters.numpy.adapter import VARIANTS
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.exact import exact_step
from rnn_conformance.conformance.cases.regimes import EXACT_GATES, GATED, REGIMES, regimes_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Layer

SIMPLE = tuple(SimpleRnn(name) for name in ("tanh", "relu", "linear", "sigmoid"))


def case_of(cell: Cell, regime: str, dtype: str = "float32", timesteps: int = 1, seed: int = 0) -> Case:
    return Case(Architecture((Layer(2, 3, cell),), dtype=dtype, return_state=True), 2, timesteps, regime, seed)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("cell", [*SIMPLE, *VARIANTS, Lstm(projection=2)], ids=str)
def test_the_reference_gives_what_is_known(cell: Cell, dtype: str) -> None:
    """The equations, written twice, agree to the bit wherever nothing is rounded; and most of a state is known."""
    known = []
    for seed in range(8):
        case = case_of(cell, EXACT_GATES, dtype, seed=seed)
        output = network.run(case.architecture, case.weights, case.inputs, case.initial_state)
        assert output.final_state is not None
        told = exact_step(cell, case.weights.layers[0].named, case.inputs[:, 0], case.initial_state[0][0])
        for part, exact in zip(output.final_state[0][0], told, strict=True):
            at = ~np.isnan(exact)
            np.testing.assert_array_equal(part[at], exact[at].astype(dtype))
            known.append(at.mean())
    assert np.mean(known) > 0.3


def test_a_step_by_hand() -> None:
    """An LSTM of one unit whose gates are 1/2, 1, 1 and 1/2; and a place where tanh is not exact."""
    big = 2048.0
    named = {"W": np.array([[0.0], [big], [big], [0.0]]), "U": np.zeros((4, 1)), "b": np.zeros(4)}
    one = np.ones((1, 1))
    h, c = exact_step(Lstm(), named, one, (one, 128 * one))
    assert (h.item(), c.item()) == (0.5, 128.5)
    h, c = exact_step(Lstm(), named, one, (one, 0 * one))
    assert np.isnan(h)  # tanh(1/2) / 2
    assert c.item() == 0.5
    named = {"W": np.array([[0.0], [0.0], [big]]), "U": np.zeros((3, 1)), "b": np.zeros(3)}
    assert exact_step(Gru(recurrent_bias="none"), named, one, (3 * one,))[0].item() == 2.0  # 3/2 + 1/2


def test_regimes_are_those_of_the_cell() -> None:
    """A simple RNN is drawn in the regimes that it always had."""
    assert regimes_of("simple_rnn") == tuple(REGIMES)
    assert regimes_of("gru") == (*REGIMES, *GATED)


def gates_of(cell: Cell, regime: str) -> dict[str, float]:
    """The mean of each gate's activation at the first timestep, over some layers."""
    found: dict[str, list[float]] = {gate: [] for gate in cell.gates}
    for seed in range(20):
        case = case_of(cell, regime, seed=seed)
        named = case.weights.layers[0].named
        z = case.inputs[:, 0] @ named["W"].T + case.initial_state[0][0][0] @ named["U"].T + named["b"]
        for gate, part in zip(cell.gates, np.split(z + named.get("c", 0), len(cell.gates), axis=1), strict=True):
            found[gate].append(float(np.mean(1 / (1 + np.exp(-part)))))
    return {gate: float(np.mean(numbers)) for gate, numbers in found.items()}


@pytest.mark.parametrize(("cell", "gate"), [(Lstm(), "f"), (Gru(), "z")])
def test_gates_near_their_ends(cell: Cell, gate: str) -> None:
    """What keeps the state is open where a layer is to keep it, and shut where it is to forget; others are not."""
    assert gates_of(cell, "keeping")[gate] > 0.9
    forgetting = gates_of(cell, "forgetting")
    assert forgetting.pop(gate) < 0.1
    assert all(0.3 < mean < 0.7 for mean in forgetting.values())


@pytest.mark.parametrize("cell", [Lstm(), Gru(), Gru(recurrent_bias="candidate")], ids=str)
def test_silent_gates(cell: Cell) -> None:
    """Of one gate, or of all but one, no array has anything but zeros."""
    for regime, silent in (("one gate silent", 1), ("one gate alone", len(cell.gates) - 1)):
        case = case_of(cell, regime)
        arrays = case.weights.layers[0].named.values()
        rows = [array.reshape(len(array) // 3, -1) for array in arrays if len(array) == 3 * len(cell.gates)]
        quiet = sum(not any(blocks[k].any() for blocks in rows) for k in range(len(cell.gates)))
        assert quiet == silent


def test_candidate_saturated_and_c_far_from_zero() -> None:
    """The candidate's numbers are sixteen times as large as the others, and an initial c is thirty times its h."""
    named = replace(case_of(Lstm(), "candidate saturated"), batch=2).weights.layers[0].named
    sizes = [np.abs(block).mean() for block in np.split(named["W"], 4)]
    assert sizes[2] > 4 * max(sizes[0], sizes[1], sizes[3])
    h, c = case_of(Lstm(), "far from zero").initial_state[0][0]
    assert np.abs(c).mean() > 5 * np.abs(h).mean()
