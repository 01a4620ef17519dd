"""What adapters declare, without a check: each is asked in a process of its own, since Keras has one backend a process.

Run as ``python -m rnn_conformance.conformance.running.declarations ADAPTER RESULTS``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.running import lifeline
from rnn_conformance.conformance.running.process import started
from rnn_conformance.conformance.running.results import header
from rnn_conformance.reports.records import records


def declared(adapters: Sequence[str]) -> list[records.Results]:
    """For each adapter results without a record, in whose header its description stands.

    Raises ValueError, with the last line of what its process said, for an adapter that cannot be loaded, and for one
    that does not describe itself.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_ask, adapters))


def _ask(adapter: str) -> records.Results:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results.jsonl")
        log = Path(folder, "log")
        with started("rnn_conformance.conformance.running.declarations", [adapter, str(results)], log) as process:
            status = process.wait()
        if status or not results.exists():
            said = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            said = said or f"exit status {status}"
            raise ValueError(f"{adapter} does not describe itself: {said}")
        return records.read(results)


def main(adapter: str, results: Path) -> None:
    """Write the results of one adapter, whose framework this process imports."""
    description = registry.load(adapter).describe()
    records.append(results, header(adapter, "", 0, (), description))
    records.append(results, records.Footer(0, 0, 0.0))


if __name__ == "__main__":
    lifeline.hold()
    main(sys.argv[1], Path(sys.argv[2]))
