"""Gated cells wired as a simple RNN."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_conformance.adapters.numpy.adapter import VARIANTS, adapter
from rnn_conformance.conformance.cases.candidates import adding_up, candidate_alone, hands_on
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.layer import run_layer
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights, direction_shapes


@pytest.mark.parametrize("cell", VARIANTS, ids=lambda cell: f"{cell.name} {cell}")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_left_is_the_candidate(cell: Cell, dtype: type) -> None:
    """Whatever the variant: the gates are exactly 0 and 1, and so the layer is a simple RNN."""
    rng = np.random.default_rng(0)
    W, U, b, x = (rng.integers(0, 3, shape).astype(dtype) / 4 for shape in ((3, 2), (3, 3), 3, (2, 4, 2)))
    outputs, _ = run_layer(Layer(2, 3, cell), candidate_alone(cell, W, U, b), x)
    h: np.ndarray = np.zeros((2, 3), dtype)
    for t in range(4):
        h = ACTIVATIONS[cell.activation].function(x[:, t] @ W.T + h @ U.T + b)
        if "output" in cell.activations:
            h = ACTIVATIONS[cell.activations["output"]].function(h)
        np.testing.assert_array_equal(outputs[:, t], h)


def test_which_cells_hand_numbers_on() -> None:
    """Those that have relu or linear wherever a number passes; its gates it only passes by."""
    handing_on = [cell for cell in VARIANTS if hands_on(cell)]
    assert {cell.name for cell in handing_on} == {"lstm", "gru"}
    assert hands_on(SimpleRnn("linear"))
    assert not hands_on(SimpleRnn())
    assert all("tanh" not in cell.activations.values() for cell in handing_on)


@pytest.mark.parametrize("cell", [Lstm("relu", output_activation="relu"), Gru("relu")], ids=lambda cell: cell.name)
def test_recurrent_dropout_of_the_candidate(cell: Cell) -> None:
    """In training, too, what is left is a simple RNN: of h, what U is multiplied with is dropped, and nothing else."""
    rng = np.random.default_rng(1)
    W, U, b, x = (rng.integers(0, 3, shape).astype(np.float32) for shape in ((3, 2), (3, 3), 3, (2, 4, 2)))

    def trained(cell: Cell, direction: str) -> np.ndarray:
        layer = Layer(2, 3, cell, direction=direction, recurrent_dropout=0.5)
        network = adapter.prepare(Architecture((layer,)))
        one = candidate_alone(cell, W, U, b)
        network.load(Weights((LayerWeights.of([one] * (1 + layer.is_bidirectional)),)))
        return network.run_training(x, 7).outputs

    for direction in ("forward", "backward", "bidirectional"):
        np.testing.assert_array_equal(trained(cell, direction), trained(SimpleRnn("relu"), direction))


@pytest.mark.parametrize("cell", [Lstm("relu", output_activation="relu"), Gru("relu")], ids=lambda cell: cell.name)
def test_what_adds_up(cell: Cell) -> None:
    """Every other unit of an LSTM adds up in c what its candidate reads of x; all others are those of a simple RNN."""
    rng = np.random.default_rng(1)
    layer = Layer(2, 4, cell)
    drawn = LayerWeights(
        {name: rng.integers(0, 3, shape).astype(np.float32) for name, shape in direction_shapes(layer).items()}
    )
    x = rng.integers(0, 3, (1, 3, 2)).astype(np.float32)
    outputs, _ = run_layer(layer, adding_up(layer, drawn), x)

    W, U, b = (drawn.named[name].reshape(len(cell.gates), 4, -1) for name in "WUb")
    k, h, total = cell.gates.index(cell.candidate), np.zeros(4), np.zeros(4)
    for t in range(3):
        read = W[k] @ x[0, t] + b[k][:, 0]
        total += read
        h = read + U[k] @ h
        if cell.name == "lstm":
            h[::2] = total[::2]
        np.testing.assert_array_equal(outputs[0, t], h)
