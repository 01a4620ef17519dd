"""What can change between two runs: the four kinds, which are never mixed, and one change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rnn_conformance.reports.overview.wording import count

KINDS = {
    "meaning": "a verdict changed",
    "support": "something is offered that was not, is not any more, or is done otherwise where the specification is "
    "silent",
    "accuracy": "errors grew or shrank as shares of their bounds, beyond noise",
    "bits": "the same examples give other bits, as accurate as before",
}
"""The kinds, the gravest first. A check is told under the first of them that applies to it, and under no other."""

FEW = 5
"""So many checks are named that changed in the same way."""

WORSE, BETTER, OTHER = "worse", "better", "changed"

TRENDS = {
    "meaning": {WORSE: "worse", BETTER: "better", OTHER: "changed"},
    "support": {WORSE: "lost", BETTER: "won", OTHER: "changed"},
    "accuracy": {WORSE: "grew", BETTER: "shrank"},
    "bits": {OTHER: "changed"},
}
"""The words for what is worse, better or merely other, in each kind."""


@dataclass(frozen=True)
class Change:
    """One thing that changed: `subject` is a check's name, or a capability such as ``ways: reloaded``.

    `trend` is WORSE, BETTER or OTHER. `old` and `new` are what is compared, in words; `detail` says more. `measured`
    are the figures behind the words, by name; what is infinite or NaN is a string there, as in a results file. `causes`
    are the titles of what a verdict changed for, as far as that is known.
    """

    kind: str
    trend: str
    subject: str
    old: str
    new: str
    clauses: Sequence[str] = ()
    title: str = ""
    detail: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = ""
    causes: Sequence[str] = ()

    @property
    def word(self) -> str:
        """The trend in the words of its kind, such as ``lost``."""
        return TRENDS[self.kind][self.trend]


def grouped(changes: Iterable[Change]) -> Sequence[Sequence[Change]]:
    """Changes that say the same, such as one fault in each dtype, brought together; what is worse comes first."""
    groups: dict[tuple[str, ...], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.kind, change.trend, change.old, change.new, change.detail), []).append(change)
    return sorted(groups.values(), key=lambda group: by_trend(group[0].trend))


def by_trend(trend: str) -> int:
    """Sorts what is worse before what is merely other, and that before what is better."""
    return (WORSE, OTHER, BETTER).index(trend)


def subjects(group: Sequence[Change]) -> Sequence[str]:
    """What a group is about, each with its clauses, such as ``test_x[float32-eager] (1.1)``; of many the first few."""
    named = [each.subject + (f" ({', '.join(each.clauses)})" if each.clauses else "") for each in group]
    return named if len(named) <= FEW else [*named[: FEW - 1], f"{len(named) - FEW + 1} more"]


def tally(changes: Sequence[Change], kind: str) -> str:
    """How many changes there are of a kind, such as ``75 worse (1 cause), 1 better``; empty if there are none."""
    found = {trend: [c for c in changes if (c.kind, c.trend) == (kind, trend)] for trend in TRENDS[kind]}
    return ", ".join(f"{len(each):,} {TRENDS[kind][trend]}{_why(each)}" for trend, each in found.items() if each)


def _why(changes: Sequence[Change]) -> str:
    """How many causes changes have, in brackets, and how many have none; empty if none has."""
    causes = {cause for change in changes for cause in change.causes}
    others = sum(not change.causes for change in changes)
    if not causes:
        return ""
    more = f" and {count(others, 'other')}" if others else ""
    return f" ({count(len(causes), 'cause')}{more})"
