"""Two records of a check that fails in both runs: whether it fails as it did, row by row or kind by kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rnn_conformance.reports.overview.rows import changes_of_rows, kind_of_message
from rnn_conformance.reports.overview.verdicts import PROBLEMS
from rnn_conformance.reports.overview.wording import count
from rnn_conformance.reports.records.records import CheckRecord
from rnn_conformance.reports.upgrades.causes import causes_between
from rnn_conformance.reports.upgrades.change import BETTER, OTHER, WORSE, Change


def other_failures(was: CheckRecord, now: CheckRecord) -> Change | None:
    """The change of a check with the same verdict in both runs that fails in other rows, or for other reasons."""
    if was.verdict not in PROBLEMS:
        return None
    if was.rows and now.rows:
        rows = changes_of_rows(was.rows, now.rows)
        if not rows:
            return None
        worse = bool(rows.broke or rows.failed_at_once)
        trend = WORSE if worse else OTHER if rows.otherwise or not rows.mended else BETTER
        return _change(was, now, trend, "\n".join(rows.told))
    before, after = _kinds(was), _kinds(now)
    came, went = [kind for kind in after if kind not in before], [kind for kind in before if kind not in after]
    if not (came or went):
        return None
    trend = OTHER if came and went else WORSE if came else BETTER
    stayed = len(before) - len(went)
    told = [f"new: {after[kind]}" for kind in came] + [f"gone: {before[kind]}" for kind in went]
    told += [f"{count(stayed, 'failure')} as before"] if stayed else []
    return _change(was, now, trend, "\n".join(told))


def _kinds(record: CheckRecord) -> Mapping[str, str]:
    """The first line of each failure of a record, by what failures of its kind have in common."""
    return {kind_of_message(message): message for message in _messages(record)}


def _messages(record: CheckRecord) -> Iterator[str]:
    for message in (record.message.removesuffix(f" — {record.diagnosis}"), *(each.message for each in record.further)):
        yield message.partition("\n")[0]


def _change(was: CheckRecord, now: CheckRecord, trend: str, detail: str) -> Change:
    return Change(
        "meaning",
        trend,
        now.check,
        was.verdict,
        f"{now.verdict}, but otherwise",
        now.clauses,
        now.title,
        detail,
        dtype=now.dtype,
        causes=causes_between(was, now),
    )
