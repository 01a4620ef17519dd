"""The shapes to check: a small lattice that changes with the seed and always keeps the awkward sizes.

Frameworks compile for each shape, which takes a thousand times longer than a call; a fixed handful of structures,
the wardrobe from which all the checks of a run take theirs, is what makes thousands of examples affordable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count as count_up
from itertools import islice
from typing import Any
from zlib import crc32

import numpy as np

from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer

KINDS = ("layer", "stack", "embedding")
"""One layer, two or three layers, an embedding in front of one or two layers."""

_WIDTHS = (1, 2, 3, 5, 7, 8, 9, 13, 16, 17)
_AROUND_8 = (7, 8, 9)
_AROUND_32 = (31, 32, 33)
_BATCHES = (1, 2, 3, 5)
_TIMESTEPS = (2, 3, 5, 8, 13)
_LONG = (32, 33, 65)

AWKWARD = 8
"""So many structures of a kind make sure of what chance could miss."""


@dataclass(frozen=True)
class Structure:
    """The layers of a model and the shape of its input; `number` is its place in the lattice before that is sorted."""

    layers: tuple[Layer, ...]
    embedding: Embedding | None
    batch: int
    timesteps: int
    number: int = 0

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

    def in_cell(self, cell: Cell) -> Structure:
        """The same shape with this cell in each layer."""
        return replace(self, layers=tuple(replace(layer, cell=cell) for layer in self.layers))


def in_direction(layers: Sequence[Layer], direction: str, merge: str = "concat") -> tuple[Layer, ...]:
    """The same layers in another direction, each reading as many features as the one below puts out."""
    turned: list[Layer] = []
    for layer in layers:
        features = turned[-1].width if turned else layer.features
        turned.append(replace(layer, features=features, direction=direction, merge=merge))
    return tuple(turned)


def wardrobe(
    kind: str,
    count: int,
    seed: int,
    cells: Sequence[Cell],
    biases: Sequence[bool],
    *,
    wanted: Collection[str],
    bias: bool | None = None,
    where: Callable[[Structure], bool] = lambda structure: True,
    first: int = 0,
) -> list[Structure]:
    """Those of the run's structures that are in one of the `wanted` activations, with this `bias` and as `where` says.

    The run's are `count` of a kind, in the cells and biases that the subject offers, whatever a check looks for: so
    each is compiled once. Where none of them fits, others are made that do; there may be none.
    """

    def fits(structure: Structure) -> bool:
        return where(structure) and all(
            layer.cell.activation in wanted and bias in (None, layer.use_bias) for layer in structure.layers
        )

    shared = [structure for structure in lattice(kind, count, seed, cells, biases, first) if fits(structure)]
    made = [cell for cell in cells if cell.activation in wanted], biases if bias is None else (bias,)
    return shared or [structure for structure in lattice(kind, count, seed, *made, first) if fits(structure)]


def lattice(
    kind: str, count: int, seed: int, cells: Sequence[Cell], bias: Sequence[bool], first: int = 0
) -> list[Structure]:
    """`count` structures of one of KINDS, smallest first, in the cells and biases given, by turns.

    They are those from number `first` on of a longer list, of which the beginning has the awkward sizes. Raises
    ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}; the kinds are {', '.join(KINDS)}")
    rng = np.random.default_rng([seed, crc32(kind.encode())])
    choices = islice(_by_turns(cells, bias, times=2 if kind == "stack" else 1), first, None)
    numbers = range(first, first + count)
    return sorted(_structures(kind, numbers, rng, choices), key=lambda structure: structure.size)


def _by_turns(cells: Sequence[Cell], biases: Sequence[bool], times: int) -> Iterator[tuple[Cell, bool]]:
    """Each cell with one bias after the other, the cell changing each time and the bias after so many `times`."""
    for turn in count_up():
        for k, cell in enumerate(cells):
            yield cell, biases[(k // times + turn) % len(biases)]


def _structures(
    kind: str, numbers: Sequence[int], rng: np.random.Generator, choices: Iterator[tuple[Cell, bool]]
) -> Iterator[Structure]:
    def one_of(sizes: Sequence[int]) -> int:
        return int(rng.choice(sizes))

    for k in numbers:
        cell, use_bias = next(choices)
        features, units = one_of(_WIDTHS), one_of(_WIDTHS)
        batch, timesteps = one_of(_BATCHES), one_of(_TIMESTEPS)
        # The first few make sure of what chance could miss; their order is that of a small budget.
        if k == 0:  # a case that a person can read
            features, units, batch, timesteps = 2, 3, 2, 4
        elif k == 1:
            units, features, batch = one_of(_AROUND_8 + _AROUND_32), one_of(_AROUND_8), one_of(_BATCHES[1:])
            timesteps = 4  # as the first: parts of a sequence are of the same length, too
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
            layers = 3 if k % 4 in (1, 2) else 2
            widths = [units] * layers if k % 2 else [units, *(one_of(_WIDTHS) for _ in range(layers - 1))]
            if k % 2 == 0 and len(set(widths)) == 1:  # chance alone would make them alike
                widths[-1] = one_of([width for width in _WIDTHS if width != units])
        elif kind == "embedding" and k % 2:
            widths = [units, one_of(_WIDTHS)]
        embedding = Embedding(one_of((5, 7, 11)), features) if kind == "embedding" else None
        if kind == "embedding" and k == 2:  # the model that everybody starts from
            embedding, widths = Embedding(10000, 32), [32]
        reads = [embedding.features if embedding else features, *widths[:-1]]
        built = tuple(Layer(read, width, cell, use_bias) for read, width in zip(reads, widths, strict=True))
        yield Structure(built, embedding, batch, timesteps, k)
