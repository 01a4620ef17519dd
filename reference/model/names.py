"""Names of arrays: one for each array of a model and of a call, wherever it is shown, compared or saved."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(r"(\w+(?:\.\w+)*)\[(\d+)\](\.backward)?(?:\.(\w+))?")


class Place(NamedTuple):
    """What a name says: `direction` is 0, or 1 for the second one of a bidirectional layer."""

    of: str
    layer: int
    direction: int
    part: str


def name_of(of: str, layer: int, direction: int, part: str = "") -> str:
    """Such as ``layers[0].backward.W``, ``initial_state[1].backward`` or ``initial_state[1].c``.

    `part` is an array of the direction's, where it has more than one: so the state of a simple RNN, which is h alone,
    needs no name for its part.
    """
    return f"{of}[{layer}]{'.backward' if direction else ''}{'.' if part else ''}{part}"


def place_of(name: str) -> Place | None:
    """The inverse of `name_of`; None for a name that it does not give, such as ``inputs``."""
    found = _NAME.fullmatch(name)
    return found and Place(found[1], int(found[2]), int(found[3] is not None), found[4] or "")
