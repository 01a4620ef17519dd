"""Inspects an adapter in a process of its own, which may crash or hang: what it found until then is told.

Run as ``python -m rnn_conformance.conformance.running.trial ADAPTER FILE``.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rnn_conformance.conformance.inspecting.inspection import Inspection, Mistake
from rnn_conformance.conformance.running import lifeline
from rnn_conformance.conformance.running.process import TOO_LONG, ended, started


@dataclass(frozen=True)
class Inspected:
    """What came of an inspection: who it was, in words, its cells, how many calls were made, and what is wrong."""

    who: str
    cells: Sequence[str]
    calls: int
    mistakes: Sequence[Mistake]
    log: str


def inspected(adapter: str, timeout: float) -> Inspected:
    """Inspect an adapter. An end of its process, or a call that takes longer than `timeout` seconds, is a mistake."""
    with tempfile.TemporaryDirectory() as folder:
        file, log = Path(folder, "lines"), Path(folder, "log")
        how = ""
        with started("rnn_conformance.conformance.running.trial", [adapter, str(file)], log) as process:
            since, known = time.monotonic(), -1
            while process.poll() is None:
                if (size := file.stat().st_size if file.exists() else 0) != known:
                    since, known = time.monotonic(), size
                if time.monotonic() - since > timeout:
                    how = f"{TOO_LONG} {timeout:g} seconds"
                    break
                time.sleep(0.02)
        said = log.read_text(encoding="utf-8", errors="replace")
        lines: list[dict[str, Any]] = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        steps = [line["begin"] for line in lines if "begin" in line]
        mistakes = [Mistake(**line["mistake"]) for line in lines if "mistake" in line]
        who, cells = next(((line["who"], line["cells"]) for line in lines if "who" in line), ("", []))
        if not who:
            mistakes.append(Mistake(f"{steps[-1]}: {how or ended(process.returncode).how}"))
        return Inspected(who, cells, len(steps), mistakes, said)


def main(adapter: str, file: Path) -> None:
    """Append what is found to the file, a line each, and in the end who it was."""
    with file.open("a", encoding="utf-8") as lines:

        def tell(**said: object) -> None:
            lines.write(json.dumps(said) + "\n")
            lines.flush()

        inspection = Inspection(adapter, begin=lambda what: tell(begin=what))
        for mistake in inspection.mistakes():
            tell(mistake=asdict(mistake))
        description = inspection.description
        versions = ", ".join(
            f"{name} {version}" for name, version in (description.versions if description else {}).items()
        )
        tell(
            who=" ".join(filter(None, (description.framework if description else adapter, versions))),
            cells=list(description.cells) if description else [],
        )


if __name__ == "__main__":
    lifeline.hold()
    main(sys.argv[1], Path(sys.argv[2]))
