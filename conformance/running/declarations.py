"""What adapters declare, without a check: each is asked in a process of its own, since Keras has one backend a process.

Run as ``python -m rnn_conformance.conformance.running.declarations ADAPTER RESULTS``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rnn_conformance.adapters import registry
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
        command = [sys.executable, "-m", "rnn_conformance.conformance.running.declarations", adapter, str(results)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode or not results.exists():
            said = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
            raise ValueError(f"{adapter} does not describe itself: {said}")
        return records.read(results)


def main(adapter: str, results: Path) -> None:
    """Write the results of one adapter, whose framework this process imports."""
    description = registry.load(adapter).describe()
    records.append(results, header(adapter, "", 0, (), description))
    records.append(results, records.Footer(0, 0, 0.0))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
