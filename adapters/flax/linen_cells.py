"""Each cell in Flax Linen: its class, and the functions of linen_example.py by which its weights come and go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """The class of a cell in flax.linen, and what comes before ``params_of`` and ``weights_in`` in linen_example.py."""

    cell: str
    prefix: str = ""

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
    "lstm": Kind("LSTMCell", "lstm_"),
    "gru": Kind("GRUCell", "gru_"),
}
"""Every cell that Flax Linen has."""
