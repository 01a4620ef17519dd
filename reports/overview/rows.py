"""What became of rows of crossed features: what those that fail have in common, and what another run changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rnn_conformance.reports.overview.wording import count
from rnn_conformance.reports.records.parts import Row
from rnn_conformance.reports.records.records import CheckRecord

Rows = Mapping[str, Row]
"""Rows by what they say: their features, separated by commas."""

FAILING = ("fails", "crashed")

_FEW = 3
"""So many rows are named that changed in the same way."""

_LONGEST = 120


@dataclass(frozen=True)
class Blamed:
    """Rows that fail alike: their message, and the few features that all of them have and no other row that was judged.

    There may be several such `features`, each one feature or two, or none where the rows have too little in common.
    """

    message: str
    rows: Sequence[str]
    features: Sequence[str]


@dataclass(frozen=True)
class RowChanges:
    """The rows of two runs by what changed: those that `broke`, fail `otherwise`, were `mended`, or `stayed` failing.

    `joined` were left out or not there before and conform, `failed_at_once` likewise and fail; `left` were judged
    before, and are left out or not there.
    """

    broke: Sequence[str]
    otherwise: Sequence[str]
    mended: Sequence[str]
    stayed: Sequence[str]
    joined: Sequence[str]
    failed_at_once: Sequence[str]
    left: Sequence[str]

    def __bool__(self) -> bool:
        return any((self.broke, self.otherwise, self.mended, self.joined, self.failed_at_once, self.left))

    @property
    def told(self) -> Sequence[str]:
        """All of it in words, a line each."""
        told = {
            "broke": self.broke,
            "fail otherwise than before": self.otherwise,
            "fail that were not judged before": self.failed_at_once,
            "mended": self.mended,
            "stayed failing": self.stayed,
            "conform that were not judged before": self.joined,
            "not judged any more": self.left,
        }
        return [f"{count(len(rows), 'row')} {words}{_named(rows)}" for words, rows in told.items() if rows]


def kind_of_message(message: str) -> str:
    """What messages of one kind have in common: their first line without its numbers."""
    return re.sub(r"-?[0-9][0-9.,]*(e[+-]?[0-9]+)?|\b(inf|nan)\b", "#", message.partition("\n")[0])


def failing(rows: Rows) -> Sequence[str]:
    """The rows that fail."""
    return [name for name, row in rows.items() if row.outcome in FAILING]


def blamed(rows: Rows) -> Sequence[Blamed]:
    """The rows that fail, by kind, with the features that may be to blame; what touches most rows is first."""
    kinds: dict[str, list[str]] = {}
    for name in failing(rows):
        kinds.setdefault(kind_of_message(rows[name].said), []).append(name)
    sound = [set(_features(name)) for name, row in rows.items() if row.outcome == "conforms"]
    found = [Blamed(rows[names[0]].said, names, list(_to_blame(names, sound))) for names in kinds.values()]
    return sorted(found, key=lambda each: -len(each.rows))


def changes_of_rows(old: Rows, new: Rows) -> RowChanges:
    """What changed from the rows of one run to those of another."""
    found: dict[str, list[str]] = {name: [] for name in RowChanges.__dataclass_fields__}
    for name in {**old, **new}:
        was, now = _state(old.get(name)), _state(new.get(name))
        if change := _CHANGES.get((was, now)):
            alike = change != "stayed" or kind_of_message(old[name].said) == kind_of_message(new[name].said)
            found[change if alike else "otherwise"].append(name)
    return RowChanges(**found)


def told_of_rows(record: CheckRecord) -> Iterator[str]:
    """A line for each kind of rows that fail, or none: how many, what they have in common, and what happened."""
    if not record.rows:
        return
    judged = sum(row.outcome in (*FAILING, "conforms") for row in record.rows.values())
    for each in blamed(record.rows):
        told = 0 < len(each.features) <= _FEW  # where more could be to blame, none is
        common = f", all with {' or '.join(each.features)}" if told else f", such as {each.rows[0]}"
        yield f"{len(each.rows)} of {count(judged, 'row')} of features fail{common}: {_short(each.message)}"


_CHANGES = {
    ("sound", "failing"): "broke",
    ("failing", "sound"): "mended",
    ("failing", "failing"): "stayed",
    ("", "sound"): "joined",
    ("", "failing"): "failed_at_once",
    ("sound", ""): "left",
    ("failing", ""): "left",
}


def _state(row: Row | None) -> str:
    """Whether a row is sound or failing; empty if it was not judged, or not there."""
    if row is None:
        return ""
    return "failing" if row.outcome in FAILING else "sound" if row.outcome == "conforms" else ""


def _features(row: str) -> Sequence[str]:
    return row.split(", ")


def _to_blame(names: Sequence[str], sound: Sequence[set[str]]) -> Iterator[str]:
    """What all these rows have and none of the sound ones has: single features, or else pairs of them."""
    common = [feature for feature in _features(names[0]) if all(feature in _features(name) for name in names)]
    for size in (1, 2):
        few = [each for each in combinations(common, size) if not any(set(each) <= row for row in sound)]
        if few:
            yield from (" + ".join(each) for each in few)
            return


def _named(rows: Iterable[str]) -> str:
    rows = list(rows)
    more = f" and {len(rows) - _FEW} more" if len(rows) > _FEW else ""
    return f" ({'; '.join(rows[:_FEW])}{more})"


def _short(message: str) -> str:
    line = message.partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"
