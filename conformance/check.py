"""What a check is given: a subject, a budget, and the means to look for a case in which the subject is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import hypothesis
from hypothesis import strategies as st

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases import Case
from rnn_conformance.conformance.journal import Journal
from rnn_conformance.conformance.judging import Findings, Judgement, NonConforming, judge
from rnn_conformance.conformance.lattice import Structure, lattice
from rnn_conformance.conformance.profiles import Profile
from rnn_conformance.conformance.regimes import REGIMES
from rnn_conformance.conformance.subject import GuardedNetwork, Subject, SubjectExited
from rnn_conformance.reference.architecture import Architecture, Array, Output, State, Weights
from rnn_conformance.reference.rounding import Precision

_SHRINKING_SECONDS = 20.0
"""After this the smallest failing case found so far has to do: in some modes a single call takes a second."""


@dataclass
class Evidence:
    """What a check has seen so far."""

    examples: int = 0
    discriminating: int = 0
    worst: Judgement | None = None
    worst_case: Case | None = None
    failing_case: Case | None = None

    def count(self, discriminates: bool) -> None:
        """Count an example that was examined."""
        self.examples += 1
        self.discriminating += discriminates

    def add(self, judgement: Judgement, case: Case | None) -> None:
        """Keep the worst."""
        if self.worst is None or judgement.ratio > self.worst.ratio:
            self.worst, self.worst_case = judgement, case


@dataclass
class Check:
    """One check of one subject in one dtype and one mode, with its budget and its evidence.

    In a soak the check is run over and over for so many `seconds`, with one `seed` after another.
    """

    name: str
    subject: Subject
    dtype: str
    mode: str
    profile: Profile
    seed: int
    seconds: float
    journal: Journal
    evidence: Evidence = field(default_factory=Evidence)

    @property
    def precision(self) -> Precision:
        return self.subject.description.precision[self.dtype]

    @property
    def in_main_mode(self) -> bool:
        return self.mode == self.subject.description.modes[0]

    def requires(self, feature: str) -> None:
        """Raise Unsupported, with the declared reason, unless the subject has this feature, dtype or activation."""
        if reason := self.subject.description.unsupported.get(feature):
            raise Unsupported(reason)

    # Running the subject

    def network(self, case: Case, weights: Weights | None = None) -> GuardedNetwork:
        """The network of the case, with its weights (or others) loaded."""
        self.journal.note(case)
        network = self.subject.network(case.architecture)
        network.load(case.weights if weights is None else weights)
        return network

    def run(
        self,
        case: Case,
        *,
        weights: Weights | None = None,
        inputs: Array | None = None,
        initial_state: State | None = None,
    ) -> Output:
        """Load the weights of the case and run it, from zeros unless an initial state is given."""
        network = self.network(case, weights)
        return network.run(case.inputs if inputs is None else inputs, initial_state=initial_state)

    def judge(self, case: Case, output: Output, *, from_given_state: bool = False) -> bool:
        """Judge all that was returned, and say whether a wrong recurrence would have shown. Raises NonConforming."""
        findings: Findings = judge(case, output, self.precision, from_given_state=from_given_state)
        for judgement in findings.judgements:
            self.evidence.add(judgement, case)
        return findings.discriminates

    # Looking for a case in which it is wrong

    def for_all(
        self,
        kinds: str | Sequence[str],
        examine: Callable[[Case], bool | None],
        *,
        return_sequences: bool = True,
        return_state: bool = False,
        batched: bool = True,
        where: Callable[[Structure], bool] = lambda structure: True,
        regimes: Sequence[str] = tuple(REGIMES),
        activations: Sequence[str] | None = None,
        bias: bool | None = None,
    ) -> None:
        """Let Hypothesis look for a case for which `examine` raises NonConforming, and shrink it.

        `examine` says of each case whether it could have told a wrong subject from a right one, or None if it is no
        case for this check, and so does not count. Of several `kinds` those that the subject lacks are left out; raises
        Unsupported if none remains. `where` picks among the structures of the lattice; `activations` and `bias` narrow
        it, and None leaves both to chance.
        """
        offered = self.subject.description.activations
        activations = offered if activations is None else [name for name in activations if name in offered]
        if not activations:
            raise Unsupported("none of the activations that this check needs is offered")
        if bias is None:
            biases = (True,) if "no bias" in self.subject.description.unsupported else (True, False)
        else:
            biases = (bias,)
        how = {"return_sequences": return_sequences, "return_state": return_state, "batched": batched}
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        lacking = {kind: self.subject.description.unsupported.get(kind) for kind in kinds}
        if all(lacking.values()):
            raise Unsupported(lacking[kinds[0]])
        for kind in (kind for kind in kinds if not lacking[kind]):
            count = self.profile.structures if self.in_main_mode else self.profile.other_structures
            if kind != "layer":
                count = max(count - 1, 1)  # the larger models take longer to compile
            models = [
                (s.architecture(dtype=self.dtype, mode=self.mode, **how), s.batch if batched else 1, s.timesteps)
                for s in lattice(kind, count, self.seed, activations, biases)
                if where(s)
            ]
            self.search(models, examine, regimes)

    def example(self, examine: Callable[[], bool]) -> None:
        """Run one example that is not drawn by Hypothesis."""
        self.evidence.count(examine())

    def search(
        self,
        models: Sequence[tuple[Architecture, int, int]],
        examine: Callable[[Case], bool | None],
        regimes: Sequence[str] = tuple(REGIMES),
    ) -> None:
        """Draw cases of these models (architecture, batch, timesteps); each draw serves for several sets of numbers."""
        if not models:
            return
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
                discriminates = examine(case)
            except (NonConforming, SubjectExited) as failure:
                if not failures:
                    give_up = time.monotonic() + _SHRINKING_SECONDS
                    self.evidence.count(True)
                failures[case] = failure
                self.evidence.failing_case = case
                raise
            if not failures and discriminates is not None:
                self.evidence.count(discriminates)

        @hypothesis.seed(crc32(f"{self.seed} {self.name}".encode()))
        @hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            verbosity=hypothesis.Verbosity.quiet,
        )
        @hypothesis.given(st.sampled_from(models), st.sampled_from(list(regimes)), st.integers(0, 2**20))
        def holds(model: tuple[Architecture, int, int], regime: str, number: int) -> None:
            for k in range(draws):
                attempt(Case(*model, regime, number * draws + k))

        holds()
