"""The shapes to check: a small lattice that changes with the seed and always keeps the awkward sizes.

Frameworks compile for each shape, which takes a thousand times longer than a call; a fixed handful of structures,
used by all the checks, is what makes thousands of examples affordable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np

from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer

KINDS = ("layer", "stack", "embedding")
"""One layer, two or three layers, an embedding in front of one or two layers."""

_WIDTHS = (1, 2, 3, 5, 7, 8, 9, 13, 16, 17)
_AROUND_8 = (7, 8, 9)
_AROUND_32 = (31, 32, 33)
_BATCHES = (1, 2, 3, 5)
_TIMESTEPS = (2, 3, 5, 8, 13)
_LONG = (32, 33, 65)


@dataclass(frozen=True)
class Structure:
    """The layers of a model and the shape of its input."""

    layers: tuple[Layer, ...]
    embedding: Embedding | None
    batch: int
    timesteps: int

    @property
    def size(self) -> int:
        """Roughly how much there is to read in a failing case: small ones come first when a failure is shrunk."""
        return self.batch * self.timesteps * sum(layer.features + layer.units for layer in self.layers)

    def architecture(
        self, *, direction: str = "forward", merge: str = "concat", mask_zero: bool = False, **how: Any
    ) -> Architecture:
        """With dtype, mode and what is returned, all that an adapter needs."""
        embedding = self.embedding and replace(self.embedding, mask_zero=mask_zero)
        return Architecture(in_direction(self.layers, direction, merge), embedding, **how)


def in_direction(layers: Sequence[Layer], direction: str, merge: str = "concat") -> tuple[Layer, ...]:
    """The same layers in another direction, each reading as many features as the one below puts out."""
    turned: list[Layer] = []
    for layer in layers:
        features = turned[-1].width if turned else layer.features
        turned.append(replace(layer, features=features, direction=direction, merge=merge))
    return tuple(turned)


def lattice(kind: str, count: int, seed: int, activations: Sequence[str], bias: Sequence[bool]) -> list[Structure]:
    """`count` structures of one of KINDS, smallest first, in the activations given and with or without bias.

    Raises ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}; the kinds are {', '.join(KINDS)}")
    rng = np.random.default_rng([seed, crc32(kind.encode())])
    choices = ((activation, use_bias) for use_bias in _cycle(bias) for activation in activations)
    return sorted(_structures(kind, count, rng, choices), key=lambda structure: structure.size)


def _cycle(values: Sequence[bool]) -> Iterator[bool]:
    while True:
        yield from values


def _structures(
    kind: str, count: int, rng: np.random.Generator, choices: Iterator[tuple[str, bool]]
) -> Iterator[Structure]:
    def one_of(sizes: Sequence[int]) -> int:
        return int(rng.choice(sizes))

    for k in range(count):
        activation, use_bias = next(choices)
        features, units = one_of(_WIDTHS), one_of(_WIDTHS)
        batch, timesteps = one_of(_BATCHES), one_of(_TIMESTEPS)
        # The first few make sure of what chance could miss; their order is that of a small budget.
        if k == 0:  # a case that a person can read
            features, units, batch, timesteps = 2, 3, 2, 4
        elif k == 1:
            units, features, batch = one_of(_AROUND_8 + _AROUND_32), one_of(_AROUND_8), one_of(_BATCHES[1:])
        elif k == 2:
            units = one_of(_AROUND_32)
        elif k == 3:
            timesteps = one_of(_LONG)
        elif k == 4:
            units, features = 1, 1
        elif k == 5:
            timesteps = 1
        elif k == 6:
            batch = 1
        widths = [units]
        if kind == "stack":
            layers = 2 + k % 4 // 2
            widths = [units] * layers if k % 2 else [units, *(one_of(_WIDTHS) for _ in range(layers - 1))]
        elif kind == "embedding" and k % 2:
            widths = [units, one_of(_WIDTHS)]
        embedding = Embedding(one_of((5, 7, 11)), features) if kind == "embedding" else None
        if kind == "embedding" and k == 2:  # the model that everybody starts from
            embedding, widths = Embedding(10000, 32), [32]
        reads = [embedding.features if embedding else features, *widths[:-1]]
        built = tuple(Layer(read, width, activation, use_bias) for read, width in zip(reads, widths, strict=True))
        yield Structure(built, embedding, batch, timesteps)
