"""What tests of comparisons have in common: shares of errors, and changes in short."""

from __future__ import annotations

from example_results import results

from rnn_conformance.reports.records.records import CheckRecord, Worst
from rnn_conformance.reports.upgrades.change import Change
from rnn_conformance.reports.upgrades.comparison import compare

LOW = {"exact": 50, "-5": 300, "-4": 150}
HIGH = {"exact": 50, "-3": 300, "-2": 150}


def changes(old: CheckRecord | list[CheckRecord], new: CheckRecord | list[CheckRecord]) -> list[Change]:
    """What changed between two runs of the same versions with these records."""
    runs = [results(checks=each if isinstance(each, list) else [each]) for each in (old, new)]
    return list(compare(*runs).changes)


def told(found: list[Change]) -> list[tuple[str, str]]:
    """Each change in two words."""
    return [(change.kind, change.word) for change in found]


def worst(ratio: float) -> Worst:
    return Worst(ratio, 1.0, "outputs[0, 0, 0]", "tanh 3 -> 4")
