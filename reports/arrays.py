"""A witness's arrays as aligned text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def aligned(value: Any) -> str:
    """A scalar, or nested lists of any depth: a line for each row, numbers in columns, an index above each matrix."""
    return "\n".join(_lines(value, _width(value), ()))


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


def _lines(value: Any, width: int, index: tuple[int, ...]) -> Iterator[str]:
    depth = _depth(value)
    if depth == 0:
        yield str(value)
    elif depth == 1:
        yield "  ".join(str(item).rjust(width) for item in value)
    elif depth == 2:
        if index:
            yield f"[{', '.join(map(str, index))}]"
        for row in value:
            yield from _lines(row, width, ())
    else:
        for i, item in enumerate(value):
            yield from _lines(item, width, (*index, i))


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _width(value: Any) -> int:
    return max(map(_width, value), default=0) if isinstance(value, list) else len(str(value))
