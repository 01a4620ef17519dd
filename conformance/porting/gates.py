"""The rows of the gates in the arrays of a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.model.weights import Array, LayerWeights


def permuted(cell: Cell, array: Array, order: Sequence[int]) -> Array:
    """The blocks of rows of all gates in another order; an array that has rows of one gate alone stays as it is."""
    blocks = np.split(array, len(cell.gates)) if len(array) % len(cell.gates) == 0 else []
    return np.concatenate([blocks[k] for k in order]) if blocks else array


def each_direction(weights: LayerWeights, change: Callable[[dict[str, Array]], dict[str, Array]]) -> LayerWeights:
    """The weights with the arrays of each direction changed."""
    return LayerWeights.of([LayerWeights(change(dict(each.named))) for each in weights.directions])


def gate_at(cell: Cell, units: int, row: int) -> str:
    """The gate to which a row belongs."""
    return cell.gates[row // units] if row // units < len(cell.gates) else cell.gates[-1]
