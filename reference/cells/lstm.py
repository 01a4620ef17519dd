"""The LSTM: what it may be, its gates and its state (SPEC.md has its equation)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from rnn_conformance.reference.cells.cell import PARTS, Cell, Shape


@dataclass(frozen=True)
class Lstm(Cell):
    """Gates i, f, g and o, of which g is the candidate; c is carried on, and h is what is put out.

    `recurrent_activation` is that of the gates, `output_activation` that of c before the output gate. A layer may have
    a second bias, the recurrent one `c`, which is added to the first. `forget_bias` is a number that the equation adds
    to the forget gate.
    """

    recurrent_activation: str = "sigmoid"
    output_activation: str = "tanh"
    recurrent_bias: str = "none"
    forget_bias: float = 0.0

    name: ClassVar[str] = "lstm"
    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    parts: ClassVar[tuple[str, ...]] = PARTS
    choices: ClassVar[Mapping[str, Collection[str]]] = {"recurrent_bias": ("none", "all")}

    def shapes(self, features: int, units: int, use_bias: bool) -> dict[str, Shape]:
        shapes = super().shapes(features, units, use_bias)
        return {**shapes, "c": shapes["b"]} if use_bias and self.recurrent_bias == "all" else shapes
