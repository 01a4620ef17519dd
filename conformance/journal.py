"""A small file that always says which check and which case are running, for whoever finds the process dead."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rnn_conformance.conformance.cases import Case

_SIZE = 4096


@dataclass(frozen=True)
class Item:
    """What there is to know of a check before it runs."""

    check: str
    title: str
    clauses: Sequence[str]
    dtype: str
    mode: str

    @property
    def function(self) -> str:
        """The name of its function, without file, dtype and mode."""
        return self.check.split("::")[-1].split("[")[0]


class Journal:
    """Written by the worker; without a path it writes nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("wb", buffering=0)
        self._item = ""
        self._architecture: object = None
        self._text = ""

    def begin(self, item: Item) -> None:
        """Remember that this check has begun."""
        self._item = json.dumps(asdict(item))
        self._write("")

    def note(self, case: Case) -> None:
        """Remember the case, at the cost of some microseconds: it is called for each example."""
        if self._file is None:
            return
        if case.architecture is not self._architecture:
            self._architecture, self._text = case.architecture, str(case.architecture)
        self._write(f"{self._text}; {case.shape_and_numbers}")

    def _write(self, case: str) -> None:
        if self._file is not None:
            self._file.seek(0)
            self._file.write(f"{self._item}\n{case}\n".encode()[:_SIZE].ljust(_SIZE, b"\0"))


def read_journal(path: Path) -> tuple[Item | None, str]:
    """The check and the case that were running; None before the first check."""
    if not path.exists():
        return None, ""
    item, _, rest = path.read_bytes().rstrip(b"\0").decode(errors="replace").partition("\n")
    if not item:
        return None, ""
    return Item(**json.loads(item)), rest.split("\n")[0]
