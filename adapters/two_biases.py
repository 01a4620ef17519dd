"""The simple RNN with two biases, as PyTorch keeps them: what the specification adds before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from rnn_conformance.reference.arithmetic.words import Arithmetic, Driven, N
from rnn_conformance.reference.cells.cell import Cell, Shape


@dataclass(frozen=True)
class TwoBiasedRnn(Cell):
    """`h_t = activation(W x_t + b + U h_{t-1} + c)`, whose two biases need not have a sum in the layer's dtype.

    It has the words of the equation alone: BOUNDS.md proves these for any cell, and so for this one.
    """

    name: ClassVar[str] = "simple_rnn"
    gates: ClassVar[tuple[str, ...]] = ("h",)
    candidate: ClassVar[str] = "h"

    def shapes(self, features: int, units: int, use_bias: bool) -> Mapping[str, Shape]:  # type: ignore[override]
        shapes = super().shapes(features, units, use_bias)
        return {**shapes, "c": shapes["b"]} if use_bias else shapes

    def project(self, on: Arithmetic[N], x: N) -> N:
        return on.affine([("W", x)], ["b", "c"])

    def drive(self, on: Arithmetic[N], projected: N, h: N) -> Driven[N]:
        return Driven(rest=(on.act(self.activation, on.add(projected, on.affine([("U", h)]))),))

    def show(self, on: Arithmetic[N], driven: Driven[N], h: N, hidden: object) -> N:
        return driven.rest[0]
