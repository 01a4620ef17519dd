"""Which causes came or went with a check, and all that changed for one cause together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rnn_conformance.reports.overview.causes import shared_kind, with_issues
from rnn_conformance.reports.overview.cells import in_order
from rnn_conformance.reports.overview.verdicts import PROBLEMS
from rnn_conformance.reports.overview.wording import count
from rnn_conformance.reports.records.records import Cause, CheckRecord
from rnn_conformance.reports.upgrades.change import FEW, TRENDS, Change, by_trend


@dataclass(frozen=True)
class CauseChange:
    """A cause, and the checks whose verdict changed for it in one direction, from one verdict to another.

    `name` is the cause's title with the issues in which it was reported. `old` and `new` are the verdicts, in words;
    `means` is what it means for a user, each sentence once.
    """

    title: str
    name: str
    trend: str
    old: str
    new: str
    means: Sequence[str]
    clauses: Sequence[str]
    dtypes: Sequence[str]
    checks: Sequence[str]

    @property
    def word(self) -> str:
        """The trend in the words of a verdict that changed, such as ``worse``."""
        return TRENDS["meaning"][self.trend]


def explained(record: CheckRecord) -> Mapping[str, Cause]:
    """The causes of a record's verdict by title: known deviations, also of other versions, or what failures share."""
    if record.verdict == "deviation":
        told = {cause.deviation: cause for cause in record.causes}
        # Results that are older than causes have the names only.
        found = [told.get(name) or Cause(name, name, "") for name in record.deviation.split(", ") if name]
        return {cause.title: cause for cause in found}
    if record.not_looked_at:
        return {cause.title: cause for cause in record.not_looked_at}
    kind = shared_kind(record) if record.verdict in PROBLEMS else ""
    return {kind: Cause("", kind, "")} if kind else {}


def causes_between(was: CheckRecord, now: CheckRecord) -> Sequence[str]:
    """The titles of the causes for which a check changed: those that are new, or else those that went, or else all."""
    old, new = explained(was), explained(now)
    came, went = [title for title in new if title not in old], [title for title in old if title not in new]
    return came or went or list(new)


def by_cause(changes: Iterable[Change], records: Iterable[CheckRecord], clauses: Sequence[str]) -> list[CauseChange]:
    """The changes that have causes, by cause and trend: what is worse comes first, then what touches most checks.

    `records` are those of both runs, `clauses` the numbers in the order of the specification. A change of two causes is
    told of both.
    """
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        for title in change.causes:
            groups.setdefault((title, change.trend), []).append(change)
    told: dict[str, list[Cause]] = {}
    for record in records:
        for title, cause in explained(record).items():
            told.setdefault(title, []).append(cause)
    found = [
        CauseChange(
            title=title,
            name=with_issues(title, dict.fromkeys(cause.upstream for cause in told[title])),
            trend=trend,
            old=" or ".join(dict.fromkeys(change.old for change in group)),
            new=" or ".join(dict.fromkeys(change.new for change in group)),
            means=list(dict.fromkeys(cause.means for cause in told[title] if cause.means)),
            clauses=[clause for clause in clauses if any(clause in change.clauses for change in group)],
            dtypes=in_order(change.dtype for change in group if change.dtype),
            checks=[change.subject for change in group],
        )
        for (title, trend), group in groups.items()
    ]
    return sorted(found, key=lambda each: (by_trend(each.trend), -len(each.checks)))


def extent(change: CauseChange) -> str:
    """How much a cause touches: ``75 checks of 70 clauses in float64: 1.1, 1.2, 1.3, 1.4, 66 more``."""
    clauses = change.clauses
    where = f" in {' and '.join(change.dtypes)}" if change.dtypes else ""
    named = clauses if len(clauses) <= FEW else [*clauses[: FEW - 1], f"{len(clauses) - FEW + 1} more"]
    touched = f"{count(len(change.checks), 'check')} of {count(len(clauses), 'clause')}{where}"
    return f"{touched}: {', '.join(named)}" if named else touched
