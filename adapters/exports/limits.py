"""Models that were exported, and how many there may be: each takes seconds, where others take milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.reference.model.architecture import Architecture

SHARES: Mapping[str, int] = {
    "layer": 3,
    "last output": 1,
    "initial state": 1,
    "stack": 1,
    "embedding": 1,
    "backward": 1,
    "two directions": 1,
    "mask": 1,
    "stateful": 1,
    "beside": 1,  # another way, another dtype, or much at once
}
"""How many models of each kind a process exports: else the checks that come first would leave none to the others."""

MODELS = sum(SHARES.values())
"""So many models are exported by a process; others are refused."""

MANY_SIZES = "an export takes seconds: models of a hundred sizes are not made"

TOO_MANY = f"an export takes seconds: {MODELS} models are exported, some of each kind, and no more"


_ALL: list[Exports] = []


def kind_of(architecture: Architecture, *, started: bool, main: str) -> str:
    """Of SHARES, what a model is that is called with an initial state or without one; `main` is the main mode."""
    directions = {layer.direction for layer in architecture.layers}
    features = (architecture.stateful, architecture.is_masked, directions != {"forward"}, len(architecture.layers) > 1)
    crossed = architecture.embedding is not None and sum(features) > 1  # as chapter 12 crosses them
    kinds = {
        "beside": architecture.mode != main or architecture.dtype != "float32" or crossed,
        "stateful": architecture.stateful,
        "mask": architecture.is_masked,
        "two directions": "bidirectional" in directions,
        "backward": "backward" in directions,
        "embedding": architecture.embedding is not None,
        "stack": len(architecture.layers) > 1,
        "last output": not architecture.return_sequences,
        "initial state": started,
    }
    return next((kind for kind, is_one in kinds.items() if is_one), "layer")


class Exports:
    """The models that a process has exported, by what they were exported of; weights are put into them later."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}
        self._left = dict(SHARES)
        _ALL.append(self)

    def get(self, key: Hashable, make: Callable[[], Any], share: str = "") -> Any:
        """What was exported of this, made if it is not there.

        Where exports are counted, each belongs to a share, and Unsupported is raised where nothing of it is left. What
        `make` refuses is no model, and takes no share.
        """
        if key not in self._made:
            if share and not self._left[share]:
                raise Unsupported(TOO_MANY)
            self._made[key] = make()
            if share:
                self._left[share] -= 1
        return self._made[key]

    def clear(self) -> None:
        self._made.clear()
        self._left = dict(SHARES)


def forget() -> None:
    """Forget all that was exported, as if the process had just begun."""
    for each in _ALL:
        each.clear()
