"""Each cell as an operator of ONNX: its name, the order of its gates, and the attributes for its choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rnn_conformance.reference.arithmetic.activations import HARD_SIGMOIDS
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Layer

ACTIVATIONS = {
    "tanh": "Tanh",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "linear": "Affine",
    **dict.fromkeys(HARD_SIGMOIDS, "HardSigmoid"),
}
"""ONNX's name of each activation."""

NUMBERS = {"linear": (1.0, 0.0), **{name: (slope, 0.5) for name, slope in HARD_SIGMOIDS.items()}}
"""alpha and beta of those that have them: alpha x + beta."""

DIRECTIONS = {"forward": "forward", "backward": "reverse", "bidirectional": "bidirectional"}
"""ONNX's word for each direction."""


@dataclass(frozen=True)
class Operator:
    """The operator for a cell: its name, its activations by their roles and as they are where nothing is said.

    `there` and `back` are the functions of arrays.py that give ONNX's order of the gates and ours, where these differ.
    """

    name: str
    roles: tuple[str, ...]
    usual: tuple[str, ...]
    there: str = ""
    back: str = ""

    def rows(self, way: str) -> dict[str, Any]:
        """The argument `rows` of the functions of arrays.py, ``there`` or ``back``; none where not needed."""
        from rnn_conformance.adapters.onnx import arrays

        function = getattr(self, way)
        return {"rows": getattr(arrays, function)} if function else {}


OPERATORS: Mapping[str, Operator] = {
    SimpleRnn.name: Operator("RNN", ("candidate",), ("tanh",)),
    Lstm.name: Operator("LSTM", ("gate", "candidate", "output"), ("sigmoid", "tanh", "tanh"), "o_second", "o_last"),
    Gru.name: Operator("GRU", ("gate", "candidate"), ("sigmoid", "tanh")),
}
"""The operator of each cell."""


def attributes(layer: Layer, batch_first: bool) -> dict[str, Any]:
    """The attributes of a layer's operator, but for those that are as they are where nothing is said."""
    found: dict[str, Any] = {"hidden_size": layer.units}
    if layer.direction != "forward":
        found["direction"] = DIRECTIONS[layer.direction]
    found |= _activations(layer.cell, 1 + layer.is_bidirectional)
    if isinstance(layer.cell, Gru) and layer.cell.reset == "after":
        found["linear_before_reset"] = 1
    if batch_first:
        found["layout"] = 1
    return found


def _activations(cell: Cell, directions: int) -> Iterator[tuple[str, list[Any]]]:
    """Those of each direction, where they are not the usual ones; alpha and beta of those that have them, in order."""
    operator = OPERATORS[cell.name]
    names = [cell.activations[role] for role in operator.roles]
    if names == list(operator.usual):
        return
    names *= directions
    yield "activations", [ACTIVATIONS[name] for name in names]
    if numbers := [NUMBERS[name] for name in names if name in NUMBERS]:
        alpha, beta = zip(*numbers, strict=True)
        yield "activation_alpha", list(alpha)
        yield "activation_beta", list(beta)
