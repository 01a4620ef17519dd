"""Layers of which the candidate alone is left: gated cells wired as a simple RNN, which a person can predict.

With the input and the output gate of an LSTM open and its forget gate shut, and with a GRU that resets nothing and
keeps nothing, h_t = a(activation(W x_t + U h_{t-1} + b)), where a is the activation of an LSTM's output, and nothing
elsewhere.
"""

from __future__ import annotations

import numpy as np

from rnn_conformance.conformance.cases.wiring import OFF, ON, Gate, shown_candidate, wired
from rnn_conformance.reference.arithmetic.plain import Rows
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights

_HELD = {"i": ON, "f": OFF, "o": ON, "r": ON, "z": OFF}
"""What holds a gate open or shut, by its name; of a cell of which 1 - z keeps the state, z is the other way round."""

EXACT = ("relu", "linear")
"""The activations that hand on a number as it is."""


def hands_on(cell: Cell) -> bool:
    """Whether what is left of the cell hands on numbers that are not negative, to the bit."""
    return all(name in EXACT for role, name in cell.activations.items() if role != "gate")


def candidate_alone(cell: Cell, W: Array, U: Array, b: Array) -> LayerWeights:
    """The weights of a layer of this cell with a bias: W (units, features), U (units, units) and b of its candidate."""
    units, features = W.shape
    held = {**_HELD, "z": ON} if getattr(cell, "keep", "z") != "z" else _HELD
    gates = {**held, cell.candidate: Gate(*(array.astype(np.float64) for array in (W, U, b)))}
    return wired(Layer(features, units, cell), gates, W.dtype.name, both_biases=True)


def adding_up(layer: Layer, drawn: LayerWeights) -> LayerWeights:
    """Weights of one direction of a gated layer with biases, whose state stays whole where W x, U h and b are whole.

    The candidate that was drawn alone is left; in every other unit of an LSTM, c adds it up and no h is read, so that
    what is lost of c shows there, and what is lost of h in the units between.
    """
    cell = layer.cell
    rows = Rows(drawn.named, cell.gates)
    W, U, b = (rows.of(name, [cell.candidate]).astype(np.float64) for name in ("W", "U", "b"))
    gates = shown_candidate(cell)
    if "f" in gates:
        adds = np.arange(layer.units) % 2 == 0
        U, gates["f"] = np.where(adds[:, np.newaxis], 0, U), Gate(b=np.where(adds, ON.b, OFF.b))
    return wired(layer, {**gates, cell.candidate: Gate(W, U, b)}, drawn.W.dtype.name, both_biases=True)
