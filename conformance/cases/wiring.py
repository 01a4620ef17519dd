"""Layers wired by hand: the arrays of a cell from what each of its gates is to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.conformance.cases.regimes import GAIN
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import LayerWeights, direction_shapes

Numbers = NDArray[Any] | float


@dataclass(frozen=True)
class Gate:
    """What a gate reads: the first rows and columns of its kernels, and the first numbers of its bias.

    A number in the place of a kernel is that number times the identity, and in the place of a bias that for each unit.
    """

    W: Numbers = 0.0
    U: Numbers = 0.0
    b: Numbers = 0.0


ON, OFF = Gate(b=float(GAIN)), Gate(b=-float(GAIN))
"""A gate, or a sigmoid, that is 1, or 0, whatever is read."""


def wired(layer: Layer, gates: Mapping[str, Gate], dtype: str, *, both_biases: bool = False) -> LayerWeights:
    """The arrays of a layer whose gates read that; a gate that is not named reads nothing, and has zeros.

    With `both_biases` half of the bias of each gate stands in the recurrent bias, where it has one that is added to b.
    """
    cell, units = layer.cell, layer.units
    arrays = {name: np.zeros(shape) for name, shape in direction_shapes(layer).items()}
    for k, name in enumerate(cell.gates):
        gate, rows = gates.get(name, Gate()), slice(k * units, (k + 1) * units)
        _place(arrays["W"][rows], gate.W)
        _place(arrays["U"][rows], gate.U)
        b = np.broadcast_to(gate.b, np.shape(gate.b) or (units,))
        halves = both_biases and len(arrays.get("c", ())) == len(arrays["b"]) and adds_both(cell, name)
        arrays["b"][rows][: len(b)] = b / 2 if halves else b
        if halves:
            arrays["c"][rows][: len(b)] = b / 2
    return LayerWeights({name: array.astype(dtype_of(dtype)) for name, array in arrays.items()})


def shown_candidate(cell: Cell) -> dict[str, Gate]:
    """Gates by which a cell forgets its state and shows its candidate alone, or an LSTM the activation of that."""
    if cell.name == "gru":
        return {"z": OFF if "keep z" in cell.words else ON, "r": ON}
    return {"i": ON, "f": OFF, "o": ON}


def shown_gate(cell: Cell, watched: str, h: float) -> tuple[dict[str, Gate], tuple[float, ...]]:
    """Gates of a gated cell by which what is put out follows one of them alone, which reads nothing yet.

    With the state to start from, a number for each part; the first is `h`, which is less than 1.
    """
    held, one = {**shown_candidate(cell), watched: Gate()}, Gate(b=one_of(cell.activation))
    match cell.name, watched:
        case _, cell.candidate:
            return held, (h, *(0.0 for _ in cell.parts[1:]))
        case "gru", "r":
            return {**held, cell.candidate: Gate(U=1 / h)}, (h,)
        case "gru", _:
            return {**held, cell.candidate: one}, (h,)
        case _, "i":
            return {**held, cell.candidate: one}, (h, 0.0)
        case _, "f":
            return {**held, "i": OFF}, (h, 1.0)
    return {**held, "i": OFF, "f": ON}, (h, one_of(cell.activations["output"]))


def adds_both(cell: Cell, gate: str) -> bool:
    """Whether a gate's bias and its recurrent bias are added, whatever the other gates are."""
    return not (cell.name == "gru" and gate == cell.candidate)


def one_of(activation: str) -> float:
    """A number of which the activation is exactly 1."""
    return 1.0 if activation in ("relu", "linear") else float(GAIN)


def _place(rows: NDArray[Any], numbers: Numbers) -> None:
    block = np.asarray(numbers, np.float64)
    if block.ndim == 0:
        block = block * np.eye(*rows.shape)
    rows[: block.shape[0], : block.shape[1]] = block
