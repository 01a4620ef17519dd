"""Running examples one by one: what is known to be wrong is left out, and what fails is remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import AWKWARD
from rnn_conformance.conformance.cases.profiles import SEEDS_OF_A_SHAPE, Profile
from rnn_conformance.conformance.engine.evidence import Evidence, Tape, Told
from rnn_conformance.conformance.engine.failures import Error, Pin
from rnn_conformance.conformance.engine.subject import Subject, SubjectExited
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.deviations import Deviation, Facts, facts_given, facts_of
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reports.records.parts import Row

T = TypeVar("T")

Examine = Callable[[Case], Told | None]
"""Runs and judges a case; None says that it is no case for this check, and so does not count."""


@dataclass(eq=False)
class Examiner:
    """Runs the examples of a check of one subject, in one dtype, mode and kind of cell, and keeps the evidence.

    In a soak everything is run with so many `seeds`, one after another, the first being `seed`. With a `pin`, nothing
    is looked for: that one example is run again. The examples that a known deviation carves out are left out, though
    not from a pin; and so are the models that the subject refuses, with their reasons. Where it only counts whether
    something fails, no smaller failing case is looked for (`shrinks`).

    The first failure is raised, unless there is `patience`: for so many seconds the check then goes on past failures,
    and what it finds is in the evidence. `computed_in` is the dtype by whose arithmetic examples are judged, if it is
    not their own. `modes` are all that the check is run in, if it is not this one alone.
    """

    name: str
    subject: Subject
    dtype: str
    mode: str
    profile: Profile
    seed: int
    seeds: int
    journal: Journal
    evidence: Evidence = field(default_factory=Evidence)
    pin: Pin | None = None
    deviations: Sequence[Deviation] = ()
    shrinks: bool = True
    tape: Tape | None = None
    patience: float = 0.0
    computed_in: str = ""
    cell: str = "simple_rnn"
    modes: Sequence[str] = ()
    _searches: int = 0
    _until: float = 0.0

    @property
    def shapes_seed(self) -> int:
        """What shapes depend on: the seed, or, where there are many, what some of them have in common."""
        return self.seed // SEEDS_OF_A_SHAPE if self.profile.repeats else self.seed

    def first_of(self, count: int) -> int:
        """Where in the list of structures those of this run begin, which are so many.

        It is the beginning; where there are many seeds, they go on through what a larger budget has at once.
        """
        return self.shapes_seed * count % AWKWARD if self.profile.repeats else 0

    @property
    def cells(self) -> Sequence[Cell]:
        """The cells to check: every variant that the subject offers of the kind that the run is about."""
        return self.subject.description.variants_of(self.cell)

    @property
    def in_main_mode(self) -> bool:
        return self.mode == self.subject.description.modes[0]

    def requires(self, feature: str) -> None:
        """Raise Unsupported, with the declared reason, unless the subject has this feature, dtype or activation."""
        if reason := self.subject.description.lacks(feature):
            raise Unsupported(reason)

    def offers(self, feature: str) -> bool:
        """Whether the subject has this feature, dtype or activation."""
        return not self.subject.description.lacks(feature)

    @property
    def is_spare(self) -> bool:
        """Whether a thrifty profile leaves to float32 what that shows as well."""
        return self.profile.thrifty and self.dtype != "float32"

    def some_of(self, items: Sequence[T], every: int) -> Sequence[T]:
        """All of them; in a thrifty profile one in `every` so many, beginning with another for each seed."""
        return items[self.seed % every :: every] if self.profile.thrifty else items

    def skip_search(self) -> None:
        """Leave a search out, so that the searches of all adapters have the same numbers."""
        self._next_search()

    def example(self, examine: Callable[[], Told], **facts: Any) -> None:
        """Run one example that is not drawn by Hypothesis.

        `facts` say what a known deviation may be about, in its words (deviations.toml), such as ``activation="tanh"``.
        """
        pin = Pin(self._next_search(), None)
        if self.tape is not None:
            self.tape.example(f"example {pin.search}", examine)
            return
        if self.pin not in (None, pin):
            return
        told_of = facts_given({"dtype": self.dtype, "mode": self.mode, "cell": self.cell, **facts})
        if self.pin is None and self._leave_out(told_of):
            return
        self.evidence.asked.add(pin)
        try:
            self.evidence.count(self.judged(examine, lambda: told_of))
        except Unsupported as reason:
            self.evidence.refused[pin] = str(reason)
        except (NonConforming, SubjectExited) as error:
            self._failed(error, pin)

    def every(
        self, cases: Iterable[Case], examine: Examine, rows: Mapping[Case, str] | None = None, **facts: Any
    ) -> None:
        """Examine each of these cases, in this order; `examine` is as in `for_all`.

        `facts` say what a case does not, and a known deviation may be about, as in `example`. `rows` are the rows of
        features that cases belong to: what becomes of each is noted down, and of a row that fails no more is run.
        """
        search = self._next_search()
        if self.tape is not None:
            for case in islice(cases, 1):
                self.tape.example(str(case), partial(examine, case))
            return
        if self.pin is not None:
            cases = [self.pin.case.fresh()] if self.pin.search == search and self.pin.case is not None else []
        for case in cases:
            row = rows.get(case, "") if rows else ""
            if row in self.evidence.rows and self.evidence.rows[row].outcome in ("fails", "crashed"):
                continue
            told_of = {**facts_of(case), **facts_given(facts)}
            if self.pin is None and self._leave_out(told_of):
                self._note(row, Row("deviation", ", ".join(each.name for each in self.carved_out_by(told_of))))
                continue
            self.evidence.asked.add(case.architecture)
            try:
                told = self.judged(partial(examine, case), lambda facts=told_of: facts)  # type: ignore[misc]
            except Unsupported as reason:
                self.evidence.refused[case.architecture] = str(reason)
                self._note(row, Row("unsupported", str(reason)))
                continue
            except (NonConforming, SubjectExited) as error:
                self.evidence.count(True)
                self._note(row, Row("crashed" if isinstance(error, SubjectExited) else "fails", str(error)))
                self._failed(error, Pin(search, case))
                continue
            self._note(row, Row("conforms"))
            if told is not None:
                self.evidence.count(told)

    def judged(self, examine: Callable[[], T], facts: Callable[[], Facts]) -> T:
        """What `examine` says; where that fails, by the precision that a known deviation puts in place of its own."""
        try:
            return examine()
        except NonConforming:
            replacing = [each for each in self.deviations if each.precision and each.covers(facts())]
            if not replacing:
                raise
        self.computed_in = replacing[0].precision
        try:
            told = examine()
        except NonConforming as failure:
            failure.computed_in = self.computed_in
            raise
        finally:
            self.computed_in = ""
        self.evidence.touch(replacing[:1])
        return told

    def _failed(self, error: Error, pin: Pin | None) -> None:
        """Remember a failure. Raises it where there is no patience, or no more."""
        self.evidence.fail(error, pin)
        if self.pin is not None or not self.patience:
            raise error
        if len(self.evidence.failures) == 1 and self.evidence.failures[0].times == 1:
            self._until = time.monotonic() + self.patience
        if time.monotonic() > self._until:
            raise error

    def _note(self, row: str, became: Row) -> None:
        """What became of a row, of which one case after another is run."""
        if row and (row not in self.evidence.rows or became.outcome != "conforms"):
            self.evidence.rows[row] = became

    def begin_again(self) -> None:
        """Go on with the next seed, for a soak."""
        shapes = self.shapes_seed
        self.seed += 1
        self._searches = 0
        if self.shapes_seed != shapes:
            self.subject.forget()

    def _next_search(self) -> int:
        self.journal.enter(self._searches, self.seed)
        self._searches += 1
        return self._searches - 1

    def carved_out_by(self, facts: Facts) -> list[Deviation]:
        """The known deviations that leave an example out of which this is known."""
        return [each for each in self.deviations if not each.precision and each.covers(facts)]

    def _leave_out(self, facts: Facts) -> bool:
        """Whether a known deviation carves this out; it is remembered for the record."""
        self.evidence.considered += 1
        covering = self.carved_out_by(facts)
        self.evidence.touch(covering)
        return bool(covering)
