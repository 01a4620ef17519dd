"""What the selftest measured, as it is saved beside the suite: detection.json, diagnosis.json and promises.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rnn_conformance.conformance.identity import suite_digest
from rnn_conformance.conformance.mutants.catalogue import catalogue, digests
from rnn_conformance.conformance.mutants.cells import cell_of
from rnn_conformance.conformance.mutants.families import is_astray, told_of
from rnn_conformance.reference.spec import specification

Measured = Mapping[str, Any]
Row = Mapping[str, Any]
"""What was found about one mutant, which stands under "mutant", and its theme under "theme"."""

_TOTALS: Mapping[str, Mapping[str, Callable[[Row], bool]]] = {
    "detection": {"killed": lambda row: row["killed"] == row["seeds"]},
    "diagnosis": {
        "named": lambda row: row["mutant"] in told_of(row["alike"]),
        "astray": lambda row: is_astray(
            told_of([name for name in row["alike"] if name != row["mutant"]]), [row["mutant"]]
        ),
    },
    "promises": {"alone": lambda row: bool(row["promise"])},
}
"""What is counted: of diagnoses also those that would give a wrong name if the mutant were not in the catalogue."""


def measured(what: str, rows: Sequence[Row], profile: str, seeds: Sequence[int]) -> dict[str, Any]:
    """The rows, what they were measured on, and for how many of them holds what they are about."""
    return {
        "suite": version("rnn-conformance"),
        "digest": suite_digest(),
        "specification": specification().version,
        "profile": profile,
        "seeds": list(seeds),
        **_totals(what, rows),
        "of": len(rows),
        "mutants": [{**row, "cell": _cell(row), "digest": digests()[row["mutant"]]} for row in rows],
    }


def _totals(what: str, rows: Sequence[Row]) -> dict[str, int]:
    return {name: sum(map(holds, rows)) for name, holds in _TOTALS[what].items()}


def _cell(row: Row) -> str:
    return cell_of(catalogue()[row["mutant"]])


def save(path: Path, what: str, new: Measured) -> None:
    """Write what was measured. Lines that the file has of other mutants stay, if these are still what they were.

    Raises ValueError if the file has lines of another profile or of other seeds, which do not go together with these.
    """
    rows = list(new["mutants"])
    if path.exists():
        old = json.loads(path.read_text(encoding="utf-8"))
        tried = {row["mutant"] for row in rows}
        kept = [row for row in current(old)["mutants"] if row["mutant"] not in tried]
        # What only one kind of check notices takes so long to find out that some is known of fewer examples only.
        same = ("seeds",) if what == "promises" else ("profile", "seeds")
        if kept and any(old[name] != new[name] for name in same):
            raise ValueError(
                f"{path} has {len(kept)} lines of other mutants, measured with profile {old['profile']} and "
                f"{len(old['seeds'])} seeds: measure with the same, or save to another file"
            )
        order = list(catalogue())
        rows = sorted([*kept, *rows], key=lambda row: order.index(row["mutant"]))
    together = measured(what, rows, new["profile"], new["seeds"])
    path.write_text(json.dumps(together, indent=1) + "\n", encoding="utf-8")


def current(old: Measured) -> Measured:
    """What was measured, without the lines of mutants that are not what they were then."""
    return {**old, "mutants": [row for row in old["mutants"] if digests().get(row["mutant"]) == row["digest"]]}


def part(what: str, of: Measured, names: Sequence[str]) -> dict[str, Any]:
    """What it says of these mutants."""
    rows = [row for row in of["mutants"] if row["mutant"] in names]
    return {**of, "mutants": rows, **_totals(what, rows), "of": len(rows)}
