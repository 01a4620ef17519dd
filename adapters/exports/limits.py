"""How many models are exported: each takes seconds, where a prepared model takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from rnn_conformance.adapters.protocol import Unsupported

MODELS = 12
"""So many models are exported by a process; others are refused."""

TOO_MANY = f"an export takes seconds: {MODELS} models are exported, and no more"


_ALL: list[Exports] = []


class Exports:
    """The models that a process has exported, by what they were exported of; weights are put into them later."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}
        _ALL.append(self)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What was exported of this, made if it is not there. Raises Unsupported where there are MODELS others."""
        if key not in self._made:
            if len(self._made) >= MODELS:
                raise Unsupported(TOO_MANY)
            self._made[key] = make()
        return self._made[key]

    def clear(self) -> None:
        self._made.clear()


def forget() -> None:
    """Forget all that was exported, as if the process had just begun."""
    for each in _ALL:
        each.clear()
