"""The GRU: what it may be, and its gates (SPEC.md has its equation)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rnn_conformance.reference.arithmetic.words import Arithmetic, Driven, N
from rnn_conformance.reference.cells.cell import Cell, Shape


@dataclass(frozen=True)
class Gru(Cell):
    """Gates z, r and n, of which n is the candidate.

    `keep` says by what the output before is multiplied: by z, and n by 1 - z, or the other way round.

    `reset` says whether the reset gate is multiplied with h ``before`` the product with U, or with the product
    ``after`` it. `recurrent_bias` says what there is beside the bias b of W x: a bias `c` of U h for ``all`` gates, as
    frameworks have it that keep two; for the ``candidate`` alone, where it is more than a second b; or ``none``.
    """

    recurrent_activation: str = "sigmoid"
    reset: str = "after"
    recurrent_bias: str = "all"
    keep: str = "z"

    name: ClassVar[str] = "gru"
    gates: ClassVar[tuple[str, ...]] = ("z", "r", "n")
    candidate: ClassVar[str] = "n"
    choices: ClassVar[Mapping[str, Collection[str]]] = {
        "reset": ("after", "before"),
        "recurrent_bias": ("all", "candidate", "none"),
        "keep": ("z", "1-z"),
    }

    def shapes(self, features: int, units: int, use_bias: bool) -> dict[str, Shape]:
        shapes = super().shapes(features, units, use_bias)
        if not use_bias or self.recurrent_bias == "none":
            return shapes
        return {**shapes, "c": shapes["b"] if self.recurrent_bias == "all" else (units,)}

    def drive(self, on: Arithmetic[N], projected: N, h: N) -> Driven[N]:
        z_and_r, n = on.split(projected, (2, 1))
        of_all = ["c"] if self.recurrent_bias == "all" else []
        z_and_r = on.add(z_and_r, on.affine([("U", h)], of_all, ("z", "r")))
        z, r = on.split(on.act(self.recurrent_activation, z_and_r), (1, 1))
        if self.reset == "after":
            more_n = on.mul(r, on.affine([("U", h)], ["c"], ("n",)))
        else:
            more_n = on.affine([("U", on.mul(r, h))], ["c"], ("n",))
        return Driven(rest=(z, on.act(self.activation, on.add(n, more_n))))

    def show(self, on: Arithmetic[N], driven: Driven[N], h: N, hidden: Sequence[N]) -> N:
        z, n = driven.rest
        return on.lerp(z, h, n) if self.keep == "z" else on.lerp(z, n, h)
