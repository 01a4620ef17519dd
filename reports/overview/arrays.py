"""A witness's arrays as a person reads them: matrix by matrix, the axes named, the number that is wrong marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_AXES = {
    "W": ("unit", "feature"),
    "U": ("unit", "unit before"),
    "b": ("unit",),
    "embedding": ("token", "feature"),
    "inputs": ("sequence", "timestep", "feature"),
    "mask": ("sequence", "timestep"),
    "lengths": ("sequence",),
    "initial_state": ("sequence", "unit"),
    "final_state": ("sequence", "unit"),
    "outputs": ("sequence", "timestep", "unit"),
}
_JUDGED = ("actual", "expected", "bound")


@dataclass(frozen=True)
class Matrix:
    """Two axes of an array: `index` is its place along the others, and `marked` that of the number to look at."""

    index: Sequence[int]
    rows: Sequence[Sequence[Any]]
    marked: tuple[int, int] | None = None


def matrices(value: Any, place: Sequence[int] = ()) -> list[Matrix]:
    """A scalar, or nested lists of any depth, as matrices; `place` is the index of the number to mark."""
    return list(_matrices(value, (), tuple(place) if len(place) == _depth(value) else ()))


def shape(value: Any) -> str:
    """The shape of nested lists, such as ``(2, 3)``; empty for a scalar, and for lists that are no array."""
    sizes: list[int] = []
    level = [value]
    while level and all(isinstance(item, list) for item in level):
        if len({len(item) for item in level}) > 1:
            return ""
        sizes.append(len(level[0]))
        level = [inner for item in level for inner in item]
    return str(tuple(sizes)) if sizes else ""


def axes(name: str, value: Any, judged: str = "") -> Sequence[str]:
    """The names of an array's axes, one for each; empty if they are not known.

    `judged` says which result the arrays `actual`, `expected` and `bound` of a witness are about, such as ``outputs``.
    """
    name = judged if name in _JUDGED else name
    name = re.sub(r"\[\d+\]|\.backward$", "", name).rpartition(".")[2]
    known = _AXES.get(name, ())
    depth = _depth(value)
    if name == "outputs" and depth == 2:  # the last ones only
        return "sequence", "unit"
    if name == "inputs" and depth == 2:  # tokens
        return "sequence", "timestep"
    return known if len(known) == depth else ()


def judged(message: str) -> tuple[str, Sequence[int]]:
    """The result and the index that a message begins with, such as ``("outputs", (0, 3, 1))``; empty if with none."""
    found = re.match(r"(?:gradient of )?(\w[\w.\[\]]*?)\[(\d+(?:, \d+)*)\] = ", message)
    return (found[1], tuple(map(int, found[2].split(", ")))) if found else ("", ())


def _matrices(value: Any, index: tuple[int, ...], place: tuple[int, ...]) -> Iterator[Matrix]:
    depth = _depth(value)
    if depth > 2:
        for i, item in enumerate(value):
            yield from _matrices(item, (*index, i), place[1:] if place[:1] == (i,) else ())
    elif depth == 2:
        rows = [row if isinstance(row, list) else [row] for row in value]
        yield Matrix(index, rows, (place[0], place[1]) if place else None)
    else:
        yield Matrix(index, [value if depth else [value]], (0, place[0]) if place else None)


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
