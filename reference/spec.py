"""SPEC.md as data: its version, its chapters and its numbered clauses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_VERSION = re.compile(r"^Specification version (\S+)\.$", re.MULTILINE)
_CHAPTER = re.compile(r"^## (\d+) (.+)$")
_CLAUSE = re.compile(r"^- \*\*(\d+)\.(\d+)\*\* (.+)$")

OF_ONE_CELL = {"1.8": "simple_rnn", "1.9": "simple_rnn", "15": "simple_rnn", "16": "lstm", "17": "gru"}
"""The clauses and chapters that have a meaning for one kind of cell only."""


@dataclass(frozen=True)
class Clause:
    """One numbered sentence of the specification."""

    number: str
    chapter: str
    text: str


@dataclass(frozen=True)
class Specification:
    """SPEC.md: `chapters` by number, and `clauses` by number, both in the order of the text."""

    version: str
    chapters: dict[str, str]
    clauses: dict[str, Clause]

    def select(self, names: list[str]) -> list[str]:
        """The numbers of the clauses that `names` mean: a clause (``1.3``) or a whole chapter (``1``), in order.

        Raises ValueError, listing what there is, for a name that means neither.
        """
        for name in names:
            if name not in self.clauses and name not in self.chapters:
                raise ValueError(
                    f"there is no clause or chapter {name!r}; the chapters are "
                    + ", ".join(f"{number} ({title})" for number, title in self.chapters.items())
                    + "; the clauses are "
                    + ", ".join(self.clauses)
                )
        return [c.number for c in self.clauses.values() if c.number in names or c.chapter in names]

    def of_other_cells(self, cell: str) -> list[str]:
        """The numbers of the clauses that say nothing of this kind of cell, in order."""
        found = []
        for clause in self.clauses.values():
            only = OF_ONE_CELL.get(clause.number) or OF_ONE_CELL.get(clause.chapter)
            if only not in (None, cell):
                found.append(clause.number)
        return found


@cache
def specification() -> Specification:
    """The specification that this version of the suite checks.

    Raises ValueError where SPEC.md is not in the form that its first lines promise.
    """
    return parse(files("rnn_conformance.reference").joinpath("SPEC.md").read_text(encoding="utf-8"))


def parse(text: str) -> Specification:
    """Read a specification from Markdown; a clause goes on over lines that are indented under it.

    Raises ValueError for a text without a version, a clause outside its chapter and a number used twice.
    """
    version = _VERSION.search(text)
    if version is None:
        raise ValueError("the specification has no line 'Specification version N.'")
    chapters: dict[str, str] = {}
    clauses: dict[str, Clause] = {}
    for line in re.sub(r"\n +", " ", text).splitlines():
        if match := _CHAPTER.match(line):
            chapters[match[1]] = match[2]
        elif match := _CLAUSE.match(line):
            chapter, number = match[1], f"{match[1]}.{match[2]}"
            if chapter not in chapters or chapter != list(chapters)[-1]:
                raise ValueError(f"clause {number} does not stand in chapter {chapter}")
            if number in clauses:
                raise ValueError(f"clause {number} stands twice")
            clauses[number] = Clause(number, chapter, match[3])
    return Specification(version[1], chapters, clauses)
