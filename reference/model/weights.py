"""Weights: the arrays of a model, by name. What is done to all of them goes through `arrays` and `map`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import Shape
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.names import name_of, place_of

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """The arrays of a layer by the names that its cell gives them (`direction_shapes`), in that order.

    Every cell has an input kernel `W`, a recurrent kernel `U` and, if its layer has one, a bias `b`. A bidirectional
    layer has a second set, `backward`; the first is the forward direction's.
    """

    named: Mapping[str, Array]
    backward: LayerWeights | None = None

    @property
    def W(self) -> Array:
        return self.named["W"]

    @property
    def U(self) -> Array:
        return self.named["U"]

    @property
    def b(self) -> Array | None:
        return self.named.get("b")

    @classmethod
    def of(cls, directions: Sequence[LayerWeights]) -> LayerWeights:
        """The weights of a layer from those of its one direction or of its two; the inverse of `directions`."""
        forward, *backward = directions
        return replace(forward, backward=backward[0] if backward else None)

    @property
    def directions(self) -> tuple[LayerWeights, ...]:
        """The weights of each direction, the forward one first."""
        return (self,) if self.backward is None else (replace(self, backward=None), self.backward)

    def with_arrays(self, **arrays: Array | None) -> LayerWeights:
        """The same with these arrays in the first direction; for None, without the one of that name."""
        return replace(self, named={name: a for name, a in {**self.named, **arrays}.items() if a is not None})

    def map(self, change: Callable[..., Array], *others: LayerWeights) -> LayerWeights:
        """The same with every array changed: `change` gets it, and the array of that name of each of `others`."""
        together = zip(*(each.directions for each in (self, *others)), strict=True)
        return LayerWeights.of(
            [
                LayerWeights({name: change(*(each.named.get(name) for each in same)) for name in same[0].named})
                for same in together
            ]
        )


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a model: one `LayerWeights` a layer, and the table (tokens, features) of its embedding."""

    layers: tuple[LayerWeights, ...]
    embedding: Array | None = None

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Weights:
        """The weights with these arrays by name; the inverse of `arrays`. Others than weights may be among them."""
        found: dict[int, dict[int, dict[str, Array]]] = defaultdict(lambda: defaultdict(dict))
        for name, array in arrays.items():
            if (place := place_of(name)) and place.of == "layers":
                found[place.layer][place.direction][place.part] = array
        layers = [LayerWeights.of([LayerWeights(found[k][j]) for j in sorted(found[k])]) for k in sorted(found)]
        return Weights(tuple(layers), arrays.get("embedding"))

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Each array with its name, such as ``layers[0].W``."""
        if self.embedding is not None:
            yield "embedding", self.embedding
        for k, layer in enumerate(self.layers):
            for j, direction in enumerate(layer.directions):
                for name, array in direction.named.items():
                    yield name_of("layers", k, j, name), array

    def map(self, change: Callable[..., Array], *others: Weights) -> Weights:
        """The same with every array changed, in the order of `arrays`.

        `change` gets an array, and the array of that name of each of `others`.
        """
        table = None if self.embedding is None else change(self.embedding, *(each.embedding for each in others))
        together = zip(self.layers, *(each.layers for each in others), strict=True)
        return Weights(tuple(first.map(change, *rest) for first, *rest in together), table)


AnyWeights = TypeVar("AnyWeights", LayerWeights, Weights)


def in_float64(weights: AnyWeights) -> AnyWeights:
    """The same weights, exactly, for the reference to compute with."""
    return weights.map(lambda array: array.astype(np.float64))


def widened(weights: Weights, dtype: str) -> Weights:
    """The weights in float64, rounded to `dtype` before where they are kept in a wider one (clause 2.9)."""
    narrow = dtype_of(dtype)
    return weights.map(lambda array: array.astype(narrow, copy=False).astype(np.float64))


def direction_shapes(layer: Layer) -> dict[str, Shape]:
    """The shape of each array of one direction of a layer, by its name there."""
    return layer.cell.shapes(layer.features, layer.units, layer.use_bias)


def weight_shapes(architecture: Architecture) -> dict[str, Shape]:
    """The shape of each array of a model, by the names and in the order of `Weights.arrays`."""
    table = architecture.embedding
    shapes: dict[str, Shape] = {"embedding": (table.tokens, table.features)} if table else {}
    for k, layer in enumerate(architecture.layers):
        for j in range(1 + layer.is_bidirectional):
            shapes |= {name_of("layers", k, j, name): shape for name, shape in direction_shapes(layer).items()}
    return shapes


def parameter_count(architecture: Architecture) -> int:
    """How many numbers the weights of a model hold (clause 6.3)."""
    return sum(map(math.prod, weight_shapes(architecture).values()))
