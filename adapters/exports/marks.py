"""Constants of an exported model that are its weights: found by marks in place of these, and then given others.

What an exporter makes of a variable is a constant under a name of its own, perhaps transposed or joined with others,
and an export takes seconds. So a model is exported once, with weights each of which is another number: every constant
of what comes out says by its numbers whose place it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_FIRST = 2**20
"""The first mark; from here to 2**24 each whole number is one of float32, and no other constant is among them."""

_COMPUTED = "the exporter computes with the weights, so that what it leaves of them cannot be told"


def marks(shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """An array of each shape, every element of all of them another number. Raises ValueError for too many."""
    sizes = [math.prod(shape) for shape in shapes]
    if sum(sizes) > 2**24 - _FIRST:
        raise ValueError(f"{sum(sizes)} weights are more than there are marks, {2**24 - _FIRST}")
    numbers = np.arange(_FIRST, _FIRST + sum(sizes), dtype=np.float32)
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


@dataclass(frozen=True)
class Layout:
    """How a kind of file keeps its constants: `read` gives those of float32, each flat, and `written` has others."""

    read: Callable[[Any], Sequence[Array]]
    written: Callable[[Any, Sequence[Array]], Any]


class Marked:
    """A model that was exported with marks, of weights of these shapes.

    Raises ValueError where a mark is missing: the exporter has then made something else of the weights.
    """

    def __init__(self, content: Any, shapes: Sequence[tuple[int, ...]], layout: Layout) -> None:
        self.content, self._shapes, self._layout = content, shapes, layout
        self._constants = [np.array(array) for array in layout.read(content)]
        self._count = sum(map(math.prod, shapes))
        self._where = [np.flatnonzero((c >= _FIRST) & (c < _FIRST + self._count)) for c in self._constants]
        self._whose = [
            c[where].astype(np.int64) - _FIRST for c, where in zip(self._constants, self._where, strict=True)
        ]
        if len(np.unique(np.concatenate([np.zeros(0, np.int64), *self._whose]))) < self._count:
            raise ValueError(_COMPUTED)

    def filled(self, weights: Sequence[Array]) -> Any:
        """The model as if it had been exported with these weights."""
        flat = np.concatenate([np.ravel(array) for array in weights])
        constants = [constant.copy() for constant in self._constants]
        for constant, where, whose in zip(constants, self._where, self._whose, strict=True):
            constant[where] = flat[whose]
        return self._layout.written(self.content, constants)

    def weights_in(self, content: Any) -> list[Array]:
        """The weights that such a model keeps."""
        flat = np.zeros(self._count, np.float32)
        for constant, where, whose in zip(self._layout.read(content), self._where, self._whose, strict=True):
            flat[whose] = constant[where]
        sizes = [math.prod(shape) for shape in self._shapes]
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]
