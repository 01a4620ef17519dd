"""Looking for a case in which a subject is wrong, within a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar
from zlib import crc32

import hypothesis
from hypothesis import strategies as st

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.draws import from_the_seed_alone
from rnn_conformance.conformance.cases.lattice import Structure, wardrobe
from rnn_conformance.conformance.cases.profiles import SEEDS_OF_A_SHAPE, Profile
from rnn_conformance.conformance.cases.regimes import REGIMES
from rnn_conformance.conformance.engine.evidence import Evidence, Pin, Tape, Told
from rnn_conformance.conformance.engine.subject import Subject, SubjectExited
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.deviations import Deviation, Facts, facts_given, facts_of
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.model.architecture import Architecture

T = TypeVar("T")

Model = tuple[Architecture, int, int]
"""An architecture, a batch size and a number of timesteps."""

Examine = Callable[[Case], Told | None]
"""Runs and judges a case; None says that it is no case for this check."""

_ALIKE = {"return_state", "mask_zero", "weights_dtype"}
"""What makes no other kind of model."""

_PLAIN = (("return_sequences", True), ("direction", "forward"))

_SHRINKING_SECONDS = 20.0
"""After this the smallest failing case found so far has to do: in some modes a single call takes a second."""


@dataclass(eq=False)
class Searcher:
    """Looks for a case in which a subject is wrong, in one dtype and one mode, with a budget, and keeps the evidence.

    In a soak everything is run with so many `seeds`, one after another, the first being `seed`. With a `pin`, nothing
    is looked for: that one example is run again. The examples that a known deviation carves out are left out, though
    not from a pin; and so are the models that the subject refuses, with their reasons. Where it only counts whether
    something fails, no smaller failing case is looked for (`shrinks`).
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
    _searches: int = 0

    @property
    def shapes_seed(self) -> int:
        """What shapes depend on: the seed, or, where there are many, what some of them have in common."""
        return self.seed // SEEDS_OF_A_SHAPE if self.profile.repeats else self.seed

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

    def for_all(
        self,
        kinds: str | Sequence[str],
        examine: Examine,
        *,
        where: Callable[[Structure], bool] = lambda structure: True,
        regimes: Sequence[str] = tuple(REGIMES),
        patterns: Sequence[str] = ("",),
        activations: Sequence[str] | None = None,
        bias: bool | None = None,
        batched: bool = True,
        stateful: bool = False,
        few: bool = False,
        **how: Any,
    ) -> bool:
        """Let Hypothesis look for a case for which `examine` raises NonConforming, and shrink it.

        `examine` says of each case whether it could have told a wrong subject from a right one, or for which clauses it
        could, or None if it is no case for this check, and so does not count. Of several `kinds` those that the subject
        lacks are left out; raises Unsupported if none remains. Returns False if all that was asked for was refused.

        `where`, `activations` and `bias` pick among the structures of the run's wardrobe, and None leaves the last two
        to chance. `patterns` are those of the mask ("" for none), and `how` is what else `Structure.architecture`
        takes: the direction of the layers, what is returned, the kind of masking. Where that does not say whether final
        states are returned, every other structure does so.

        A thrifty profile has one structure do, another for other kinds of model, and several of the plain layer only;
        where `few` are enough, one of the kinds; and in other dtypes than float32 the first of all.
        """
        offered = self.subject.description.activations
        wanted = offered if activations is None else [name for name in activations if name in offered]
        if not wanted:
            raise Unsupported("none of the activations that this check needs is offered")
        biases = (True, False) if self.offers("no bias") else (True,)
        few = self.profile.thrifty and self.pin is None and (few or self.is_spare)
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        lacking = {kind: self.subject.description.lacks(kind) for kind in kinds}
        if all(lacking.values()):
            raise Unsupported(lacking[kinds[0]])
        ran = False
        for kind in kinds:
            if lacking[kind] or (few and kind != next(kind for kind in kinds if not lacking[kind])):
                self.skip_search()
                continue
            count = self.profile.structures if self.in_main_mode else self.profile.other_structures
            if kind != "layer":
                count = max(count - 1, 1)  # the larger models take longer to compile
            models = []
            shared = (kind, count, self.shapes_seed, offered, biases)
            structures: Sequence[Structure] = wardrobe(*shared, wanted=wanted, bias=bias, where=where)
            if self.is_spare:
                structures = structures[:1]
            elif self.profile.thrifty and (few or _telling(how)):
                structures = _one_of(structures, how)
            for s in structures:
                batch = s.batch if batched else 1
                with_state = self.offers("final state") and (self.profile.thrifty or s.number % 2 == 1)
                returned = {"return_state": with_state, **how}
                known: dict[str, Any] = {"batch": batch, "stateful": True} if stateful else {}
                architecture = s.architecture(dtype=self.dtype, mode=self.mode, batched=batched, **known, **returned)
                models.append((architecture, batch, s.timesteps))
            ran |= self.search(models, examine, regimes, patterns)
        return ran

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
        if self.pin is None and self._leave_out(facts_given({"dtype": self.dtype, "mode": self.mode, **facts})):
            return
        self.evidence.asked.add(pin)
        try:
            self.evidence.count(examine())
        except Unsupported as reason:
            self.evidence.refused[pin] = str(reason)
        except (NonConforming, SubjectExited):
            self.evidence.failing = pin
            raise

    def every(self, cases: Iterable[Case], examine: Examine, **facts: Any) -> None:
        """Examine each of these cases, in this order, up to the first that fails; `examine` is as in `for_all`.

        `facts` say what a case does not, and a known deviation may be about, as in `example`.
        """
        search = self._next_search()
        if self.tape is not None:
            for case in first_middle_last(list(cases)):
                self.tape.example(str(case), partial(examine, case))
            return
        if self.pin is not None:
            cases = [self.pin.case.fresh()] if self.pin.search == search and self.pin.case is not None else []
        for case in cases:
            if self.pin is None and self._leave_out({**facts_of(case), **facts_given(facts)}):
                continue
            self.evidence.asked.add(case.architecture)
            try:
                told = examine(case)
            except Unsupported as reason:
                self.evidence.refused[case.architecture] = str(reason)
                continue
            except (NonConforming, SubjectExited):
                self.evidence.count(True)
                self.evidence.failing = Pin(search, case)
                raise
            if told is not None:
                self.evidence.count(told)

    def search(
        self,
        models: Sequence[Model],
        examine: Examine,
        regimes: Sequence[str] = tuple(REGIMES),
        patterns: Sequence[str] = ("",),
    ) -> bool:
        """Draw cases of these models (architecture, batch, timesteps); each draw serves for several sets of numbers.

        A model that the subject refuses drops out, and others are drawn in its place. Returns False if none remains.
        """
        search = self._next_search()
        if self.tape is not None:
            for case in dict.fromkeys(Case(*models[k], regimes[k], 0, patterns[k]) for k in (0, -1) if models):
                self.tape.example(str(case), partial(examine, case))
            return True
        if self.pin is not None:
            if self.pin.search == search and self.pin.case is not None:
                self.evidence.failing = self.pin
                self.evidence.count(examine(self.pin.case.fresh()) or False)
                self.evidence.failing = None
            return True
        cases = [Case(*model, regimes[0], 0, pattern) for model in models for pattern in patterns]
        remaining = [case for case in cases if not self._leave_out(facts_of(case))]
        if not remaining:
            return True
        examples = self.profile.examples if self.in_main_mode else self.profile.other_examples
        draws = self.profile.draws if self.in_main_mode else 1
        failures: dict[Case, NonConforming | SubjectExited] = {}
        give_up = float("inf")

        def attempt(case: Case) -> None:
            nonlocal give_up
            # A failure is remembered: an unreliable subject, or the end of shrinking, cannot make it disappear.
            if failures:
                if known := failures.get(case):
                    raise known
                if time.monotonic() > give_up:
                    return
            try:
                told = examine(case)
            except (NonConforming, SubjectExited) as failure:
                if not failures:
                    give_up = time.monotonic() + _SHRINKING_SECONDS
                    self.evidence.count(True)
                failures[case] = failure
                self.evidence.failing = Pin(search, case)
                raise
            if not failures and told is not None:
                self.evidence.count(told)

        @hypothesis.seed(crc32(f"{self.seed} {self.name}".encode()))
        @hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink)[: 1 + self.shrinks],
            verbosity=hypothesis.Verbosity.quiet,
        )
        @hypothesis.given(st.sampled_from(remaining), st.sampled_from(list(regimes)), st.integers(0, 2**20))
        def holds(case: Case, regime: str, number: int) -> None:
            for one in self._in_place_of(case, remaining):
                self.evidence.asked.add(one.architecture)
                try:
                    for k in range(draws):
                        attempt(replace(one, regime=regime, seed=number * draws + k))
                    return
                except Unsupported as reason:
                    self.evidence.refused[one.architecture] = str(reason)

        with from_the_seed_alone():
            holds()
        return any(case.architecture not in self.evidence.refused for case in remaining)

    def _in_place_of(self, case: Case, cases: Sequence[Case]) -> Iterator[Case]:
        """The case itself or, if its structure is refused, the one after it, and so on, until all have been there."""
        if case.architecture not in self.evidence.refused:
            yield case
        if self.evidence.refused:
            at = cases.index(case)
            yield from (c for c in [*cases[at:], *cases[:at]] if c.architecture not in self.evidence.refused)

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

    def _leave_out(self, facts: Facts) -> bool:
        """Whether a known deviation carves this out; it is remembered for the record."""
        covering = [deviation for deviation in self.deviations if deviation.covers(facts)]
        self.evidence.left_out += [deviation for deviation in covering if deviation not in self.evidence.left_out]
        return bool(covering)


def _one_of(structures: Sequence[Structure], how: Mapping[str, Any]) -> Sequence[Structure]:
    """One of them, the same for the same kind of model; none of none."""
    told = sorted(f"{name} {value}" for name, value in _telling(how).items())
    return [structures[crc32(str(told).encode()) % len(structures)]] if structures else []


def _telling(how: Mapping[str, Any]) -> Mapping[str, Any]:
    """What makes another kind of model than the plain layer."""
    return {name: value for name, value in how.items() if name not in _ALIKE and (name, value) not in _PLAIN}


def first_middle_last(items: Sequence[T]) -> list[T]:
    """Three of them, or all if there are fewer."""
    return [items[k] for k in sorted({0, len(items) // 2, len(items) - 1})] if items else []
