"""What a check has seen so far."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.engine.failures import Error, Failure, Pin, kind_of, way_of
from rnn_conformance.conformance.judging.comparing import Judgement
from rnn_conformance.conformance.witnesses.deviations import Deviation
from rnn_conformance.reports.records.parts import Row
from rnn_conformance.reports.records.records import UNBOUNDED

Told = bool | Set[str]
"""Whether an example could have told a wrong subject from a right one: for all clauses of a check, or for which."""

_ALL = "all"


class Tape(Protocol):
    """Runs a frozen example and notes down what goes into the subject and what comes out (fingerprints.py)."""

    def example(self, name: str, examine: Callable[[], object]) -> None: ...


@dataclass
class Evidence:
    """What a check has seen so far. `measured` are figures for the report, by name.

    `failing` is the example that failed first, and `failures` are the first of each kind. `rows` tells what became of
    each row of features, by what the row says, where features are crossed. `cut_short` is an error of the check itself
    after it had found a failure, which may well have come of that.

    `discriminating` counts the examples that could have told a wrong subject from a right one for any of the clauses,
    `by_clause` those that could for one and not for all. `asked` are the structures that were asked for, and `refused`
    has the reason for each that the subject refused without having declared that it would. `considered` counts the
    cases that could have been drawn; `known` are the deviations that some of them were touched by, which were left out
    or judged by another precision, and `touched` counts these by the deviation's name. `shares` counts the judged
    errors by their share of the bound (`share_of`).
    """

    examples: int = 0
    discriminating: int = 0
    by_clause: Counter[str] = field(default_factory=Counter)
    asked: set[object] = field(default_factory=set)
    refused: dict[object, str] = field(default_factory=dict)
    worst: Judgement | None = None
    worst_case: Case | None = None
    failing: Pin | None = None
    observed: str = ""
    measured: dict[str, Any] = field(default_factory=dict)
    considered: int = 0
    known: list[Deviation] = field(default_factory=list)
    touched: Counter[str] = field(default_factory=Counter)
    shares: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    cut_short: str = ""

    @property
    def failing_case(self) -> Case | None:
        return self.failing.case if self.failing else None

    def count(self, told: Told) -> None:
        """Count an example that was examined."""
        self.examples += 1
        self.discriminating += bool(told)
        self.by_clause.update(told if isinstance(told, Set) else [_ALL] * bool(told))

    def touch(self, deviations: Iterable[Deviation]) -> None:
        """Remember that these known deviations touched a case."""
        for deviation in deviations:
            if deviation.name not in self.touched:
                self.known.append(deviation)
            self.touched[deviation.name] += 1

    def fail(self, error: Error, pin: Pin | None) -> bool:
        """Remember a failure, and say whether it is the first of its kind in this way to run a model."""
        for failure in self.failures:
            if (failure.kind, failure.way) == (kind_of(error), way_of(pin)):
                failure.times += 1
                return False
        self.failures.append(Failure(error, pin))
        self.failing = self.failures[0].pin
        return True

    def has_judged(self, row: str) -> bool:
        """Whether a row of features was run and judged, whatever came of it."""
        return row in self.rows and self.rows[row].outcome not in ("deviation", "unsupported")

    def discriminating_for(self, clause: str) -> int:
        """How many examples could have told a wrong subject from a right one, as far as this clause goes."""
        return self.by_clause[_ALL] + self.by_clause[clause]

    def add(self, judgement: Judgement, case: Case | None) -> None:
        """Count it by its share of the bound, or as one that has none, and keep the worst."""
        self.shares[UNBOUNDED if judgement.unbounded else share_of(judgement.ratio)] += 1
        if self.worst is None or judgement.ratio > self.worst.ratio:
            self.worst, self.worst_case = judgement, case


def share_of(ratio: float) -> str:
    """The k, from -20 to 20, of an error's share of its bound above 2**k and up to 2**(k + 1); "exact" for none.

    So "-1" is the last within the bound. What lies beyond either end counts as the end.
    """
    if ratio == 0:
        return "exact"
    if not ratio < 2**20:
        return "20"
    mantissa, exponent = math.frexp(ratio)
    return str(max(exponent - (2 if mantissa == 0.5 else 1), -20))
