"""The rows of a benchmark's table: each is printed as soon as it is measured, and kept in a file of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path


def heading(columns: Iterable[str]) -> None:
    """Print the first two lines of a table in Markdown."""
    names = list(columns)
    row(names)
    row("---" for _ in names)


def row(cells: Iterable[object]) -> None:
    """Print one line of it, at once, whoever reads it."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def keep(measured: Mapping[str, object], file: Path | None) -> None:
    """Append what was measured to a file, where there is one, so that a later failure costs nothing of it."""
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{json.dumps(measured)}\n")
