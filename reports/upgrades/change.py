"""What can change between two runs: the four kinds, which are never mixed, and one change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
    are the figures behind the words, by name; what is infinite or NaN is a string there, as in a results file.
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

    @property
    def word(self) -> str:
        """The trend in the words of its kind, such as ``lost``."""
        return TRENDS[self.kind][self.trend]


def grouped(changes: Iterable[Change]) -> Sequence[Sequence[Change]]:
    """Changes that say the same, such as one fault in each dtype, brought together; what is worse comes first."""
    groups: dict[tuple[str, ...], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.kind, change.trend, change.old, change.new, change.detail), []).append(change)
    order = (WORSE, OTHER, BETTER)
    return sorted(groups.values(), key=lambda group: order.index(group[0].trend))


def subjects(group: Sequence[Change]) -> Sequence[str]:
    """What a group is about, each with its clauses, such as ``test_x[float32-eager] (1.1)``; of many the first few."""
    named = [each.subject + (f" ({', '.join(each.clauses)})" if each.clauses else "") for each in group]
    return named if len(named) <= FEW else [*named[: FEW - 1], f"{len(named) - FEW + 1} more"]


def tally(changes: Iterable[Change], kind: str) -> str:
    """How many changes there are of a kind, such as ``2 lost, 1 won``; empty if there are none."""
    found = [change for change in changes if change.kind == kind]
    counts = {word: sum(change.trend == trend for change in found) for trend, word in TRENDS[kind].items()}
    return ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)
