"""The LSTM: what it may be, its gates and its state (SPEC.md has its equation)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS, GATE_ACTIVATIONS
from rnn_conformance.reference.arithmetic.words import Arithmetic, Driven, N
from rnn_conformance.reference.cells.cell import PARTS, Cell, Shape


@dataclass(frozen=True)
class Lstm(Cell):
    """Gates i, f, g and o, of which g is the candidate; c is carried on, and h is what is put out.

    `recurrent_activation` is that of the gates, `output_activation` that of c before the output gate. A layer may have
    a second bias, the recurrent one `c`, which is added to the first. `forget_bias` is a number that the equation adds
    to the forget gate. With a `projection`, h has so many numbers: what would be put out is multiplied with a kernel
    `P` (projection, units) first.

    Raises ValueError for a projection that is negative.
    """

    recurrent_activation: str = "sigmoid"
    output_activation: str = "tanh"
    recurrent_bias: str = "none"
    forget_bias: float = 0.0
    projection: int = 0

    name: ClassVar[str] = "lstm"
    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    candidate: ClassVar[str] = "g"
    parts: ClassVar[tuple[str, ...]] = PARTS
    choices: ClassVar[Mapping[str, Collection[str]]] = {"recurrent_bias": ("none", "all")}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projection < 0:
            raise ValueError(f"projection of {self.name} is {self.projection}, but should be 0, for none, or more")

    def widths(self, units: int) -> dict[str, int]:
        return {**super().widths(units), "h": self.projection or units}

    def reach(self, part: str) -> float:
        gate, output = GATE_ACTIVATIONS[self.recurrent_activation], ACTIVATIONS[self.output_activation]
        if part != PARTS[0] or self.projection or gate.low < 0 or gate.high > 1:
            return math.inf
        return max(output.high, 0) - min(output.low, 0)

    def shapes(self, features: int, units: int, use_bias: bool) -> dict[str, Shape]:
        shapes = super().shapes(features, units, use_bias)
        if use_bias and self.recurrent_bias == "all":
            shapes["c"] = shapes["b"]
        return {**shapes, "P": (self.projection, units)} if self.projection else shapes

    def project(self, on: Arithmetic[N], x: N) -> N:
        return on.affine([("W", x)], ["b", "c"])

    def drive(self, on: Arithmetic[N], projected: N, h: N) -> Driven[N]:
        i_and_f, g, o = on.split(on.add(projected, on.affine([("U", h)])), (2, 1, 1))
        if self.forget_bias:
            i_and_f = on.shift(i_and_f, (0, self.forget_bias))
        i, f = on.split(on.act(self.recurrent_activation, i_and_f), (1, 1))
        o = on.act(self.recurrent_activation, o)
        return Driven(rest=(o,), keep=f, new=on.mul(i, on.act(self.activation, g)))

    def show(self, on: Arithmetic[N], driven: Driven[N], h: N, hidden: Sequence[N]) -> N:
        (o,), (c,) = driven.rest, hidden
        h = on.mul(o, on.act(self.output_activation, c))
        return on.affine([("P", h)]) if self.projection else h
