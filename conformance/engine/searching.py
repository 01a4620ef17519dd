"""Looking for a case in which a subject is wrong, within a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from zlib import crc32

import hypothesis
from hypothesis import strategies as st

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.draws import from_the_seed_alone, without_a_key
from rnn_conformance.conformance.cases.lattice import Structure, wardrobe
from rnn_conformance.conformance.cases.regimes import REGIMES, regimes_of
from rnn_conformance.conformance.engine.examining import Examine, Examiner
from rnn_conformance.conformance.engine.failures import Error, Pin, kind_of
from rnn_conformance.conformance.engine.subject import SubjectExited
from rnn_conformance.conformance.engine.thrift import one_of, telling
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.deviations import facts_of
from rnn_conformance.reference.model.architecture import Architecture

Model = tuple[Architecture, int, int]
"""An architecture, a batch size and a number of timesteps."""

_SHRINKING_SECONDS = 20.0
"""After this the smallest failing case found so far has to do: in some modes a single call takes a second."""

_KINDS = 3
"""So many kinds of failures are looked for in one search."""


@dataclass(eq=False)
class Searcher(Examiner):
    """Looks for a case in which a subject is wrong, in one dtype and one mode, with a budget."""

    def for_all(
        self,
        kinds: str | Sequence[str],
        examine: Examine,
        *,
        where: Callable[[Structure], bool] = lambda structure: True,
        regimes: Sequence[str] | None = None,
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
        to chance. `regimes` are those of the kind of cell, unless some are named, `patterns` those of the mask ("" for
        none), and `how` is what else `Structure.architecture` takes: the direction of the layers, what is returned, the
        kind of masking. Where that does not say whether final states are returned, every other structure does so, and
        what is wrong only then is no matter of this check.

        A thrifty profile has one structure do, another for other kinds of model, and several of the plain layer only;
        where `few` are enough, one of the kinds; and in other dtypes than float32 the first of all.

        Where known deviations leave out all that there is of a kind, the same shapes in another cell, of which nothing
        is known to be wrong, take their place, if the subject has one.
        """
        offered = list(dict.fromkeys(cell.activation for cell in self.cells))
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
            count = self.profile.structures_of(kind, main=self.in_main_mode)
            shared = (kind, count, self.shapes_seed, self.cells, biases)
            picked: dict[str, Any] = {"wanted": wanted, "bias": bias, "where": where}
            structures: Sequence[Structure] = wardrobe(*shared, **picked, first=self.first_of(count))
            if self.is_spare:
                structures = structures[:1]
            elif self.profile.thrifty and (few or telling(how)):
                structures = one_of(structures if kind == "layer" else structures[:1], how)
            model_of = partial(self._model_of, batched=batched, stateful=stateful, how=how)
            models = [model_of(s) for s in structures]
            if not self._sound(models, patterns):
                alike = ([s.in_cell(cell) for s in structures] for cell in self.cells if cell.activation in wanted)
                others = (self._sound(map(model_of, filter(where, each)), patterns) for each in alike)
                models += next(filter(None, others), [])
            ran |= self.search(models, examine, regimes, patterns, of_states="return_state" in how)
        return ran

    def _model_of(self, s: Structure, *, batched: bool, stateful: bool, how: Mapping[str, Any]) -> Model:
        """The model of a structure that `for_all` asks for."""
        batch = s.batch if batched else 1
        with_state = self.offers("final state") and (self.profile.thrifty or s.number % 2 == 1)
        returned = {"return_state": with_state, **how}
        known: dict[str, Any] = {"batch": batch, "stateful": True} if stateful else {}
        architecture = s.architecture(dtype=self.dtype, mode=self.mode, batched=batched, **known, **returned)
        return architecture, batch, s.timesteps

    def _sound(self, models: Iterable[Model], patterns: Sequence[str]) -> list[Model]:
        """Those of which known deviations do not leave out everything."""
        regime, *_ = REGIMES
        return [
            model
            for model in models
            if not all(self.carved_out_by(facts_of(Case(*model, regime, 0, pattern))) for pattern in patterns)
        ]

    def search(
        self,
        models: Sequence[Model],
        examine: Examine,
        regimes: Sequence[str] | None = None,
        patterns: Sequence[str] = ("",),
        *,
        of_states: bool = True,
    ) -> bool:
        """Draw cases of these models (architecture, batch, timesteps); each draw serves for several sets of numbers.

        A model that the subject refuses drops out, and others are drawn in its place. Returns False if none remains.
        Unless final states are what the check is about (`of_states`), a case that fails is run again without them: a
        fault of these would hide those that the check is about.
        """
        search = self._next_search()
        regimes = regimes or regimes_of(self.cell)
        if self.tape is not None:
            for case in dict.fromkeys(Case(*models[k], regimes[k], 0, patterns[k]) for k in (0, -1) if models):
                self.tape.example(str(case), partial(examine, case))
            return True
        if self.pin is not None:
            if self.pin.search == search and self.pin.case is not None:
                self._run_again(self.pin.case.fresh(), examine)
            return True
        cases = [Case(*model, regimes[0], 0, pattern) for model in models for pattern in patterns]
        remaining = [case for case in cases if not self._leave_out(facts_of(case))]
        if not remaining:
            return True
        kinds: set[str] = set()
        while failed := self._next_failure(remaining, examine, regimes, kinds, of_states):
            error, case = failed
            kinds.add(kind_of(error))
            self._failed(error, Pin(search, case))
            if len(kinds) == _KINDS:
                break
        return any(case.architecture not in self.evidence.refused for case in remaining)

    def _run_again(self, case: Case, examine: Examine) -> None:
        try:
            told = self.judged(partial(examine, case), partial(facts_of, case))
        except (NonConforming, SubjectExited) as error:
            self._failed(error, self.pin)
        else:
            self.evidence.count(told or False)

    def _next_failure(
        self, cases: Sequence[Case], examine: Examine, regimes: Sequence[str], known: Collection[str], of_states: bool
    ) -> tuple[Error, Case] | None:
        """The smallest failing case that is found, if any, whose failure is of none of the `known` kinds."""
        examples = self.profile.examples if self.in_main_mode else self.profile.other_examples
        draws = self.profile.draws if self.in_main_mode else 1
        failures: dict[Case, Error] = {}
        smallest: Case | None = None
        kind = ""
        give_up = float("inf")

        def attempt(case: Case) -> None:
            nonlocal give_up, smallest, kind
            # A failure is remembered: an unreliable subject, or the end of shrinking, cannot make it disappear.
            if failures:
                if before := failures.get(case):
                    raise before
                if time.monotonic() > give_up:
                    return
            failure: Error | None = None
            try:
                told = self.judged(partial(examine, case), partial(facts_of, case))
            except (NonConforming, SubjectExited) as error:
                failure = error  # what is raised from within would be another failure to Hypothesis the next time
            if failure is None:
                if not failures and not known and told is not None:
                    self.evidence.count(told)
                return
            if case.architecture.return_state and not of_states:
                try:
                    attempt(replace(case, architecture=replace(case.architecture, return_state=False)))
                except (NonConforming, SubjectExited) as error:
                    failures[case] = error
                    raise
                return
            if kind_of(failure) in known or (failures and kind_of(failure) != kind):
                return  # to be told of once, and in its turn
            if not failures:
                give_up, kind = time.monotonic() + _SHRINKING_SECONDS, kind_of(failure)
                self.evidence.count(True)
            failures[case], smallest = failure, case
            raise failure

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
        @hypothesis.given(st.sampled_from(cases), st.sampled_from(list(regimes)), st.integers(0, 2**20))
        def holds(case: Case, regime: str, number: int) -> None:
            for one in self._in_place_of(case, cases):
                self.evidence.asked.add(one.architecture)
                try:
                    for k in range(draws):
                        attempt(replace(one, regime=regime, seed=number * draws + k))
                    return
                except Unsupported as reason:
                    self.evidence.refused[one.architecture] = str(reason)

        try:
            with from_the_seed_alone():
                without_a_key(holds)()
        except (NonConforming, SubjectExited) as failure:
            assert smallest is not None
            return failure, smallest
        return None

    def _in_place_of(self, case: Case, cases: Sequence[Case]) -> Iterator[Case]:
        """The case itself or, if its structure is refused, the one after it, and so on, until all have been there."""
        if case.architecture not in self.evidence.refused:
            yield case
        if self.evidence.refused:
            at = cases.index(case)
            yield from (c for c in [*cases[at:], *cases[:at]] if c.architecture not in self.evidence.refused)
