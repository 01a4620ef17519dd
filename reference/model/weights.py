"""Weights: the arrays of a model, by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Input kernel `W` (units, features), recurrent kernel `U` (units, units), bias `b` (units,) or None.

    A bidirectional layer has a second set, `backward`; the first is the forward direction's.
    """

    W: Array
    U: Array
    b: Array | None = None
    backward: LayerWeights | None = None

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Each array with its name, such as ``W`` or ``backward.W``."""
        yield "W", self.W
        yield "U", self.U
        if self.b is not None:
            yield "b", self.b
        if self.backward is not None:
            for name, array in self.backward.arrays():
                yield f"backward.{name}", array


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a model: one `LayerWeights` a layer, and the table (tokens, features) of its embedding."""

    layers: tuple[LayerWeights, ...]
    embedding: Array | None = None

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Each array with its name, such as ``layers[0].W``."""
        if self.embedding is not None:
            yield "embedding", self.embedding
        for k, layer in enumerate(self.layers):
            for name, array in layer.arrays():
                yield f"layers[{k}].{name}", array
