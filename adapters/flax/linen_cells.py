"""Each cell in Flax Linen: its class, and the functions of linen_example.py by which its weights come and go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnn_conformance.reference.model.architecture import Architecture, Layer

OPTIMISED = "optimised"
"""The way in which an LSTM is one of OptimizedLSTMCell, which puts the kernels of all gates together in each call."""


@dataclass(frozen=True)
class Kind:
    """The class of a cell in flax.linen, and what comes before ``params_of`` and ``weights_in`` in linen_example.py.

    `optimised` is the class in the way of that name, whose parameters have the same names.
    """

    cell: str
    prefix: str = ""
    optimised: str = ""

    def params_of(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        """The tree of parameters with these arrays of one direction."""
        found: dict[str, Any] = self._function("params_of")(weights)
        return found

    def weights_in(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays of one direction in such a tree, or in one of gradients."""
        found: dict[str, Any] = self._function("weights_in")(params)
        return found

    def _function(self, name: str) -> Any:
        from rnn_conformance.adapters.flax import linen_example

        return getattr(linen_example, f"{self.prefix}{name}")


KINDS: Mapping[str, Kind] = {
    "simple_rnn": Kind("SimpleCell"),
    "lstm": Kind("LSTMCell", "lstm_", "OptimizedLSTMCell"),
    "gru": Kind("GRUCell", "gru_"),
}
"""Every cell of Flax Linen that is one of ours; of MGUCell a note in linen.py says why it is none."""


def class_of(architecture: Architecture, layer: Layer) -> str:
    """The class of a layer's cell in flax.linen."""
    kind = KINDS[layer.cell.name]
    return kind.optimised if architecture.mode == OPTIMISED and kind.optimised else kind.cell
