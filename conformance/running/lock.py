"""A folder of results is one run's alone: a second one is told who is writing there."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from filelock import FileLock, Timeout


class InUse(Exception):
    """Another run writes into the folder; the message says which."""


@contextmanager
def alone_in(folder: Path) -> Iterator[str]:
    """Keep other runs out of a folder, which is made if need be. Gives who was there before and died, or nothing.

    The system lets go of the lock of a process that ends, however that comes about; what one that was killed leaves
    behind is the note that says who it was. Raises InUse, and OSError where the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / ".lock.json"
    try:
        held = FileLock(folder / ".lock").acquire(blocking=False)
    except Timeout:
        who = _who(note) or "another run"
        raise InUse(f"{folder} is in use by {who}: wait for it, or choose another --out") from None
    with held:
        left = _who(note)
        since = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        try:
            note.write_text(json.dumps({"pid": os.getpid(), "host": platform.node(), "since": since}), encoding="utf-8")
            yield left
        finally:
            note.unlink(missing_ok=True)


def _who(note: Path) -> str:
    """Who a note is of, in words; nothing if there is none, or if half of it was written."""
    try:
        of = json.loads(note.read_text(encoding="utf-8"))
        return f"process {of['pid']} on {of['host']}, since {of['since']}"
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return ""
