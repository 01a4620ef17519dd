"""A small file that always says which check and which case are running, for whoever finds the process dead."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from io import FileIO
from pathlib import Path

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.witnesses.encoding import case_as_data, case_from_data
from rnn_conformance.conformance.witnesses.item import Item


@dataclass(frozen=True)
class Running:
    """What was running: the check, which of its searches and with which seed, and the case, if there was one yet."""

    item: Item
    search: int = 0
    seed: int = 0
    case: Case | None = None


class Journal:
    """Written by the worker; without a path it writes nothing.

    Check and search stand first, and replace those before them as a whole, so that whoever reads the file meanwhile
    never finds half of each. The case after them is written over the last one in place, for speed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._item = ""
        self._architecture: object = None
        self._text = ""

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def begin(self, item: Item) -> None:
        """Remember that this check has begun."""
        self._item = json.dumps(asdict(item))
        self.enter(0, 0)

    def enter(self, search: int, seed: int) -> None:
        """Remember which search of the check has begun, and with which seed."""
        self.close()
        if self._path is not None:
            new = self._path.with_name(f"{self._path.name}.new")
            self._file = new.open("wb", buffering=0)
            self._file.write(f"{self._item}\n{json.dumps({'search': search, 'seed': seed})}\n\0".encode())
            self._case_at = self._file.tell() - 1
            new.replace(self._path)

    def note(self, case: Case) -> None:
        """Remember the case, at the cost of some microseconds: it is called for each example."""
        if self._file is None:
            return
        if case.architecture is not self._architecture:
            self._architecture, self._text = case.architecture, json.dumps(case_as_data(case)["architecture"])
        self._file.seek(self._case_at)  # what an earlier, longer text leaves behind the zero byte does not count
        self._file.write(
            f'{{"architecture": {self._text}, "batch": {case.batch}, "timesteps": {case.timesteps}, '
            f'"regime": "{case.regime}", "seed": {case.seed}, "pattern": "{case.pattern}"}}\0'.encode()
        )


def running_item(path: Path) -> tuple[Item, int] | None:
    """The check that is running, and its seed; None before the first. The file may be written to at the same time."""
    lines = _lines(path)
    return (Item(**json.loads(lines[0])), json.loads(lines[1])["seed"]) if len(lines) > 1 else None


def read_journal(path: Path) -> Running | None:
    """What was running in a process that has ended; None before the first check."""
    found = running_item(path)
    if found is None:
        return None
    _, search, case = _lines(path)
    running = Running(found[0], **json.loads(search))
    return replace(running, case=case_from_data(json.loads(case))) if case else running


def _lines(path: Path) -> list[str]:
    return text.split("\n") if (text := sign_of_life(path)) else []


def sign_of_life(path: Path) -> str:
    """What the file says: another text than a while ago means that the framework has come back since."""
    return path.read_bytes().partition(b"\0")[0].decode() if path.exists() else ""
