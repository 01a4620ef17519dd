"""What was exported, kept for every network of a process: an export takes seconds, other models milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

MANY_SIZES = "an export takes seconds: models of a hundred sizes are not made"
"""Why an export is not made to accept `any size`."""

_ALL: list[Exports] = []


class Exports:
    """Models by what they were exported of; weights are put into them later."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}
        _ALL.append(self)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What was exported of this, made if it is not there."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def clear(self) -> None:
        self._made.clear()


def forget() -> None:
    """Forget all that was exported, as if the process had just begun."""
    for each in _ALL:
        each.clear()
