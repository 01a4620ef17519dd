"""LSTM and GRU compute their equations: each against a loop that says them gate by gate, and against torch's layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from any_order import Array
from test_cell_bounds import draw

from rnn_conformance.reference.arithmetic.bounded import Bounded, Number
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.bounds.cells import residual_of
from rnn_conformance.reference.bounds.steps import step_residual
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.layer import run_layer
from rnn_conformance.reference.layers.unrolled import unrolled
from rnn_conformance.reference.model.architecture import Choices, Layer
from rnn_conformance.reference.model.weights import LayerWeights

Gate = dict[str, Array]


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def hard(slope: float) -> Callable[[Array], Array]:
    return lambda z: np.clip(slope * z + 0.5, 0, 1)


GATES: dict[str, Callable[[Array], Array]] = {
    "sigmoid": sigmoid,
    "hard_sigmoid": hard(1 / 6),
    "hard_sigmoid_fifth": hard(0.2),
}


def gates_of(cell: Cell, weights: dict[str, Array]) -> tuple[Gate, Gate, Gate, Gate]:
    """W, U, b and c of each gate; zeros for what is not there."""
    units = len(weights["U"]) // len(cell.gates)
    rows = {}
    for name in ("W", "U", "b", "c"):
        array = weights.get(name, np.zeros(len(cell.gates) * units))
        if len(array) == units:  # of the candidate alone
            array = np.concatenate([np.zeros(2 * units), array])
        rows[name] = dict(zip(cell.gates, np.split(array, len(cell.gates)), strict=True))
    return rows["W"], rows["U"], rows["b"], rows["c"]


def lstm_loop(cell: Lstm, weights: dict[str, Array], x: Array, h: Array, c: Array) -> list[tuple[Array, Array]]:
    """One sequence through an LSTM, gate by gate."""
    W, U, b, d = gates_of(cell, weights)
    gate = GATES[cell.recurrent_activation]
    found = []
    for x_t in x:
        z = {k: W[k] @ x_t + b[k] + U[k] @ h + d[k] for k in cell.gates}
        c = gate(z["f"] + cell.forget_bias) * c + gate(z["i"]) * np.tanh(z["g"])
        h = gate(z["o"]) * (np.tanh(c) if cell.output_activation == "tanh" else c)
        h = weights["P"] @ h if cell.projection else h
        found.append((h, c))
    return found


def gru_loop(cell: Gru, weights: dict[str, Array], x: Array, h: Array) -> list[tuple[Array]]:
    """One sequence through a GRU, gate by gate."""
    W, U, b, d = gates_of(cell, weights)
    gate = GATES[cell.recurrent_activation]
    found = []
    for x_t in x:
        z, r = (gate(W[k] @ x_t + b[k] + U[k] @ h + d[k]) for k in "zr")
        recurrent = r * (U["n"] @ h + d["n"]) if cell.reset == "after" else U["n"] @ (r * h) + d["n"]
        n = np.tanh(W["n"] @ x_t + b["n"] + recurrent)
        h = z * h + (1 - z) * n if cell.keep == "z" else (1 - z) * h + z * n
        found.append((h,))
    return found


@pytest.mark.parametrize(
    "cell",
    [
        Lstm(),
        Lstm(recurrent_bias="all", forget_bias=1.0),
        Lstm(recurrent_activation="hard_sigmoid", output_activation="linear"),
        Lstm(recurrent_activation="hard_sigmoid_fifth"),
        Lstm(projection=3),
        Gru(),
        Gru(reset="before"),
        Gru(recurrent_bias="candidate", recurrent_activation="hard_sigmoid_fifth"),
        Gru(reset="before", recurrent_bias="none"),
        Gru(keep="1-z"),
    ],
    ids=str,
)
@pytest.mark.parametrize("use_bias", [True, False])
def test_the_equation_is_that_of_a_loop(cell: Lstm | Gru, use_bias: bool) -> None:
    """All values of each part of the state, of each sequence, are those of a loop over one sequence in float64."""
    drawn = draw(np.random.default_rng(0), cell, "float64", (3, 7, 5, 4), use_bias=use_bias)
    found = unrolled(cell, drawn.weights, drawn.x, drawn.initial)
    for k, x in enumerate(drawn.x):
        start = [part[k] for part in drawn.initial]
        loop = lstm_loop if isinstance(cell, Lstm) else gru_loop
        states = loop(cell, drawn.weights, x, *start)  # type: ignore[arg-type]
        for part, expected in zip(found, zip(*states, strict=True), strict=True):
            np.testing.assert_allclose(part[k], np.stack(expected), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("cell", [Lstm(recurrent_bias="all"), Lstm(recurrent_bias="all", projection=2), Gru()])
def test_torch_agrees(cell: Cell) -> None:
    """torch.nn.LSTM and GRU, given the same numbers in their own order of gates, compute the same in float64."""
    torch = pytest.importorskip("torch")
    drawn = draw(np.random.default_rng(1), cell, "float64", (3, 7, 5, 4))
    order = "ifgo" if isinstance(cell, Lstm) else "rzn"
    if isinstance(cell, Lstm):
        theirs = torch.nn.LSTM(5, 4, batch_first=True, proj_size=cell.projection).double()
    else:
        theirs = torch.nn.GRU(5, 4, batch_first=True).double()
    names = {"weight_ih_l0": "W", "weight_hh_l0": "U", "bias_ih_l0": "b", "bias_hh_l0": "c"}
    parameters = {}
    for name, own in names.items():
        rows = dict(zip(cell.gates, np.split(drawn.weights[own], len(cell.gates)), strict=True))
        parameters[name] = torch.from_numpy(np.concatenate([rows[gate] for gate in order]))
    if "P" in drawn.weights:
        parameters["weight_hr_l0"] = torch.from_numpy(drawn.weights["P"])
    theirs.load_state_dict(parameters)
    state = tuple(torch.from_numpy(part[np.newaxis]) for part in drawn.initial)
    with torch.no_grad():
        outputs, final = theirs(torch.from_numpy(drawn.x), state if len(state) > 1 else state[0])
    found = unrolled(cell, drawn.weights, drawn.x, drawn.initial)
    np.testing.assert_allclose(outputs.numpy(), found[0], rtol=1e-12, atol=1e-14)
    final = final if len(state) > 1 else (final,)
    for part, last in zip(found, final, strict=True):
        np.testing.assert_allclose(last[0].numpy(), part[:, -1], rtol=1e-12, atol=1e-14)


def test_c_is_held_where_timesteps_are_passed_over() -> None:
    """Each part of the final state is that of the valid timesteps alone; where there are none, the initial one."""
    drawn = draw(np.random.default_rng(2), Lstm(), "float64", (3, 6, 5, 4))
    mask = np.array([[1, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]], bool)
    layer, weights = Layer(5, 4, Lstm()), LayerWeights(drawn.weights)
    initial = (tuple(drawn.initial),)
    _, (final,) = run_layer(layer, weights, drawn.x, initial, mask, Choices("repeat"))
    for k, valid in enumerate(mask):
        start = [part[k : k + 1] for part in drawn.initial]
        if valid.any():
            alone = [part[0, -1] for part in unrolled(Lstm(), drawn.weights, drawn.x[k : k + 1, valid], start)]
        else:
            alone = [part[0] for part in start]
        for part, expected in zip(final, alone, strict=True):
            np.testing.assert_allclose(part[k], expected, rtol=1e-13)


def test_the_carried_error_is_that_of_the_words() -> None:
    """`carried` gives what `mul` and `add` give at each timestep: the same values, and errors that are not smaller."""
    rng = np.random.default_rng(3)
    on = Bounded({"W": np.zeros((4, 1)), "U": np.zeros((4, 1))}, "ifgo", standard_precision("float32"))
    keep, new = (Number(rng.uniform(-1, 1, (40, 3, 2)), 10.0 ** rng.uniform(-8, -2, (40, 3, 2))) for _ in range(2))
    start = rng.uniform(-1, 1, (3, 2))
    found, c = on.carried(keep, new, start), Number(start)
    for t in range(40):
        c = on.closed(on.add(on.mul(keep.at(t), c), new.at(t)))
        np.testing.assert_array_equal(found.value[t], c.value)
        np.testing.assert_allclose(found.at(t).error, c.error, rtol=1e-6)
        assert np.all(found.at(t).error >= c.error)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", ["tanh", "relu", "linear", "sigmoid"])
def test_the_words_are_as_sharp_as_the_loop_of_the_simple_rnn(activation: str, use_bias: bool) -> None:
    """Read from its equation, the simple RNN has the values of the loop written for it, and bounds no wider."""
    cell = SimpleRnn(activation)
    drawn = draw(np.random.default_rng(4), cell, "float32", (3, 12, 8, 8), 0.6, use_bias)
    weights, x, initial = drawn.wide()
    outputs = unrolled(cell, drawn.weights, drawn.x, drawn.initial)[0].astype(np.float64)
    precision = standard_precision("float32")
    (read,) = residual_of.dispatch(Cell)(cell, weights, x, outputs, initial, precision)
    layer = Layer(8, 8, cell, use_bias)
    written = step_residual(layer, LayerWeights(weights), x, outputs, initial[0], precision)
    np.testing.assert_allclose(read.value, written.value, rtol=1e-12, atol=1e-15)
    assert (read.bound <= written.bound * (1 + 1e-8)).all()
    assert (read.bound >= written.bound * 0.8).all()
    plain = unrolled.dispatch(Cell)(cell, weights, x, initial)[0]
    np.testing.assert_allclose(plain, unrolled(cell, weights, x, initial)[0], rtol=1e-12, atol=1e-15)
