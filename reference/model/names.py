"""Names of arrays: one for each array of a model and of a call, wherever it is shown, compared or saved."""

from __future__ import annotations


def name_of(of: str, layer: int, direction: int, part: str = "") -> str:
    """Such as ``layers[0].backward.W`` or ``initial_state[1].backward``.

    `direction` is 0, or 1 for the second one of a bidirectional layer; `part` is an array of the direction's, where it
    has more than one.
    """
    return f"{of}[{layer}]{'.backward' if direction else ''}{'.' if part else ''}{part}"
