"""Weights: the arrays of a model, by name. What is done to all of them goes through `arrays` and `map`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.names import name_of

Array = NDArray[np.floating]
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Input kernel `W` (units, features), recurrent kernel `U` (units, units), bias `b` (units,) or None.

    A bidirectional layer has a second set, `backward`; the first is the forward direction's.
    """

    W: Array
    U: Array
    b: Array | None = None
    backward: LayerWeights | None = None

    @classmethod
    def of(cls, directions: Sequence[LayerWeights]) -> LayerWeights:
        """The weights of a layer from those of its one direction or of its two; the inverse of `directions`."""
        forward, *backward = directions
        return replace(forward, backward=backward[0] if backward else None)

    @property
    def directions(self) -> tuple[LayerWeights, ...]:
        """The weights of each direction, the forward one first."""
        return (self,) if self.backward is None else (replace(self, backward=None), self.backward)

    @property
    def named(self) -> dict[str, Array]:
        """The arrays of the first direction by name, without those that the layer lacks."""
        arrays = ((name, getattr(self, name)) for name in _NAMES)
        return {name: array for name, array in arrays if array is not None}

    def map(self, change: Callable[..., Array], *others: LayerWeights) -> LayerWeights:
        """The same with every array changed: `change` gets it, and the array of that name of each of `others`."""
        together = zip(*(each.directions for each in (self, *others)), strict=True)
        return LayerWeights.of(
            [
                replace(parts[0], **{name: change(*(getattr(part, name) for part in parts)) for name in parts[0].named})
                for parts in together
            ]
        )


_NAMES = tuple(field.name for field in fields(LayerWeights) if field.name != "backward")


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a model: one `LayerWeights` a layer, and the table (tokens, features) of its embedding."""

    layers: tuple[LayerWeights, ...]
    embedding: Array | None = None

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Weights:
        """The weights with these arrays by name; the inverse of `arrays`. Others than weights may be among them."""
        layers: list[LayerWeights] = []
        while directions := list(_directions(arrays, len(layers))):
            layers.append(LayerWeights.of(directions))
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
    shapes: dict[str, Shape] = {"W": (layer.units, layer.features), "U": (layer.units, layer.units)}
    return {**shapes, "b": (layer.units,)} if layer.use_bias else shapes


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


def _directions(arrays: Mapping[str, Array], k: int) -> Iterator[LayerWeights]:
    """The weights of each direction of layer k that there is."""
    for j in (0, 1):
        names = {name: name_of("layers", k, j, name) for name in _NAMES}
        found: dict[str, Any] = {name: arrays[full] for name, full in names.items() if full in arrays}
        if found:
            yield LayerWeights(**found)
