"""The GRU: what it may be, and its gates (SPEC.md has its equation)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from rnn_conformance.reference.cells.cell import Cell, Shape


@dataclass(frozen=True)
class Gru(Cell):
    """Gates z, r and n, of which n is the candidate; z says how much of h is kept.

    `reset` says whether the reset gate is multiplied with h ``before`` the product with U, or with the product
    ``after`` it. `recurrent_bias` says what there is beside the bias b of W x: a bias `c` of U h for ``all`` gates, as
    frameworks have it that keep two; for the ``candidate`` alone, where it is more than a second b; or ``none``.
    """

    recurrent_activation: str = "sigmoid"
    reset: str = "after"
    recurrent_bias: str = "all"

    name: ClassVar[str] = "gru"
    gates: ClassVar[tuple[str, ...]] = ("z", "r", "n")
    choices: ClassVar[Mapping[str, Collection[str]]] = {
        "reset": ("after", "before"),
        "recurrent_bias": ("all", "candidate", "none"),
    }

    def shapes(self, features: int, units: int, use_bias: bool) -> dict[str, Shape]:
        shapes = super().shapes(features, units, use_bias)
        if not use_bias or self.recurrent_bias == "none":
            return shapes
        return {**shapes, "c": shapes["b"] if self.recurrent_bias == "all" else (units,)}
