"""Each cell in torch: its classes, the names of its arrays there, and the order of its gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnn_conformance.reference.cells.cell import Cell

NAMES = {"W": "weight_ih", "U": "weight_hh", "b": "bias_ih", "c": "bias_hh", "P": "weight_hr"}
"""What torch calls them. A cell that has no recurrent bias `c` has a ``bias_hh`` of zeros."""


@dataclass(frozen=True)
class Kind:
    """A cell's classes in torch.nn, and the function of example.py that gives the state dict of one direction.

    `order` is there if torch stacks the gates in another order: a function of example.py, which is its own inverse.
    """

    layer: str
    cell: str
    state_of: str = "state_of"
    order: str = ""

    def state_dict(self, arrays: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The arrays of one direction as tensors, by torch's names in the place `where`."""
        from rnn_conformance.adapters.torch import example

        found: dict[str, Any] = getattr(example, self.state_of)(arrays, where)
        return found

    def reordered(self, array: Any) -> Any:
        """The rows of an array of torch's in the canonical order, or the other way round."""
        from rnn_conformance.adapters.torch import example

        return getattr(example, self.order)(array) if self.order else array


KINDS: Mapping[str, Kind] = {
    "simple_rnn": Kind("RNN", "RNNCell"),
    "lstm": Kind("LSTM", "LSTMCell"),
    "gru": Kind("GRU", "GRUCell", "gru_state_of", "z_and_r_swapped"),
}
"""Every cell that torch has."""


def kind_of(cell: Cell) -> Kind:
    """What torch has for a cell."""
    return KINDS[cell.name]
