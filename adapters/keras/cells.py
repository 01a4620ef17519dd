"""The cells that Keras has: the layer of each, what that is given for a cell's choices, and which choices there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS, HARD_SIGMOIDS
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn

LAYERS = {SimpleRnn.name: "SimpleRNN", Lstm.name: "LSTM", Gru.name: "GRU"}
"""Keras' name of the layer with a cell; that of the cell itself is this and ``Cell``."""

LACKING = {
    "lstm recurrent bias all": "keras.layers.LSTM has one bias",
    "lstm forget bias 1.0": "unit_forget_bias of keras.layers.LSTM is how its bias starts, and no part of its equation",
    "gru recurrent bias all": "keras.layers.GRU has a recurrent bias with reset_after alone",
    "gru recurrent bias candidate": "keras.layers.GRU has two biases of all gates, or one",
    "gru recurrent bias none": "keras.layers.GRU with reset_after has a recurrent bias, if it has any",
    "gru keep 1-z": "in keras.layers.GRU it is z that keeps the state",
}
"""Why there are no other variants."""


def arguments(cell: Cell) -> dict[str, Any]:
    """What a layer of Keras is given for the choices of its cell. An LSTM's activation is that of its output, too."""
    given: dict[str, Any] = {"activation": cell.activation}
    if "gate" in cell.activations:
        name = cell.activations["gate"]
        # Each Keras calls its own hard sigmoid so; which one it has, `variants` says.
        given["recurrent_activation"] = "hard_sigmoid" if name in HARD_SIGMOIDS else name
    if isinstance(cell, Gru):
        given["reset_after"] = cell.reset == "after"
    return given


def hard_sigmoid_lacking(is_legacy: bool) -> Mapping[str, str]:
    """Why one of the two functions of that name cannot be had."""
    lacking, slope = ("hard_sigmoid", "0.2 x") if is_legacy else ("hard_sigmoid_fifth", "x / 6")
    reason = f"the hard sigmoid of Keras{' 2' if is_legacy else ''} is {slope} + 1/2"
    return {f"{cell} recurrent activation {lacking}": reason for cell in ("lstm", "gru")}


def variants(is_legacy: bool = False) -> Iterator[Cell]:
    """Every LSTM and GRU that Keras has in these activations, those that differ most first."""
    gates = ("sigmoid", "hard_sigmoid_fifth" if is_legacy else "hard_sigmoid")
    resets = (("after", "all"), ("before", "none"))
    for turn in range(len(gates)):
        for k, activation in enumerate(ACTIVATIONS):
            yield Lstm(activation, gates[(k + turn) % 2], output_activation=activation)
    for turn in range(len(gates) * len(resets)):
        for k, activation in enumerate(ACTIVATIONS):
            yield Gru(activation, gates[(k // 2 + turn // 2) % 2], *resets[(k + turn) % 2])
