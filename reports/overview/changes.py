"""What a version changed, told by its cause: a heading for each, and the clauses behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rnn_conformance.reports.overview.cells import Cell
from rnn_conformance.reports.overview.verdicts import PROBLEMS


@dataclass(frozen=True)
class Change:
    """What a version says of a clause, or of a question that the specification leaves open, and what the last said.

    `causes` says which causes of known deviations the one has and the other has not; `is_answer` is of a question.
    """

    subject: str
    old: str
    new: str
    causes: Sequence[str] = ()
    is_answer: bool = False


@dataclass(frozen=True)
class Story:
    """Changes that are told together: by the cause that came or went, or else by what they change to what.

    `changes` has their subjects, by what was said of them and what is said now.
    """

    title: str
    changes: Mapping[tuple[str, str], Sequence[str]]

    @property
    def subjects(self) -> Sequence[str]:
        return [subject for subjects in self.changes.values() for subject in subjects]


def change_of(clause: str, before: tuple[Cell, str], after: tuple[Cell, str]) -> Change:
    """The change of a clause, given its cells and what is said of each.

    What failed before and is a known deviation now was there already, and only has got its name.
    """
    was, now = causes_of(before[0]), causes_of(after[0])
    came = "now known" if before[0].verdict in PROBLEMS else "new"
    went = "no longer as known" if after[0].verdict in PROBLEMS else "gone"
    causes = [f"{came}: {title}" for title in now if title not in was]
    return Change(clause, before[1], after[1], causes + [f"{went}: {title}" for title in was if title not in now])


def causes_of(cell: Cell) -> Sequence[str]:
    """The causes of a cell's known deviations, each once; of results that are older than causes, their names."""
    found: dict[str, None] = {}
    for record in cell.records:
        titles = {cause.deviation: cause.title for cause in record.causes}
        found.update(dict.fromkeys(titles.get(name, name) for name in record.deviation.split(", ") if name))
    return list(found)


def stories(changes: Iterable[Change]) -> Sequence[Story]:
    """The changes by the causes that came or went, or else by what they change to what; what touches most is first.

    A change that has several causes is in the story of each.
    """
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for change in changes:
        for title in change.causes or [f"{change.old} → {change.new}"]:
            found.setdefault(title, {}).setdefault((change.old, change.new), []).append(change.subject)
    told = [Story(title, those) for title, those in found.items()]
    return sorted(told, key=lambda story: -len(story.subjects))
