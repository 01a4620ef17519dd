"""Keep results as baselines: ``python -m rnn_conformance.reports.documents.baseline RESULTS BASELINES``.

What differs from run to run, or lies beside the results, is left out, so that a diff of baselines shows what changed.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from rnn_conformance.reports.overview.summary import truncated
from rnn_conformance.reports.overview.wording import truncation
from rnn_conformance.reports.records.records import CheckRecord, append, read

PINNED = Path(__file__).parents[1] / "baselines"
"""The baselines of the pinned versions, which come with this version of the suite."""


def keep(results: Path, baselines: Path) -> list[Path]:
    """Copy every results file of a folder into another, in which those of other adapters stay as they are.

    Raises ValueError, before anything is written, if there is none, or if one is cut short.
    """
    found = [read(path) for path in sorted(results.glob("*.jsonl"))]
    if not found:
        raise ValueError(f"no results files (*.jsonl) in {results}")
    for each in found:
        if truncated(each):
            raise ValueError(f"{each.path} is {truncation(each)}")
    baselines.mkdir(parents=True, exist_ok=True)
    kept = []
    for each in found:
        path = baselines / each.path.name
        path.unlink(missing_ok=True)
        append(path, replace(each.header, started=""))
        for record in each.checks:
            append(path, _settled(record))
        if each.footer is not None:  # which it is not: it is no truncated run
            append(path, replace(each.footer, seconds=0.0))
        kept.append(path)
    return kept


def _settled(record: CheckRecord) -> CheckRecord:
    return replace(record, seconds=0.0, witness_file="", reproducer_file="", no_reproducer="", replay="")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m rnn_conformance.reports.documents.baseline RESULTS BASELINES")
    try:
        written = keep(*map(Path, sys.argv[1:]))
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print("\n".join(map(str, written)))
