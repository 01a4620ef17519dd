"""What a check is given: a subject, the means to run and judge it, and to look for a case in which it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.engine.searching import Searcher
from rnn_conformance.conformance.engine.subject import GuardedNetwork
from rnn_conformance.conformance.judging.gradients import judge_gradients
from rnn_conformance.conformance.judging.outputs import Findings, judge
from rnn_conformance.conformance.judging.rounded import judge_rounded
from rnn_conformance.reference.arithmetic.rounding import Precision, computed_in, dtype_of
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, Weights


@dataclass(eq=False)
class Check(Searcher):
    """One check of one subject in one dtype and one mode; how it searches, with which budget, is in `Searcher`."""

    @property
    def precision(self) -> Precision:
        """The subject's arithmetic, or that which a known deviation puts in its place for the example that is run."""
        precision = self.subject.description.precision
        return computed_in(precision[self.computed_in]) if self.computed_in else precision[self.dtype]

    def stored(self, array: Array) -> Array:
        """What is left of numbers in the arithmetic by which they are judged: all there is, if it is their own."""
        return array.astype(dtype_of(self.precision.dtype)).astype(array.dtype) if self.computed_in else array

    def observe(self, what: str) -> None:
        """Record a behaviour on which the specification is silent."""
        self.evidence.observed = what

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
        """Load the weights of the case and run it, from zeros unless an initial state is given, under its mask."""
        network = self.network(case, weights)
        given = case.given if initial_state is None else {**case.given, "initial_state": initial_state}
        return network.run(case.inputs if inputs is None else inputs, **given)

    def gradients(
        self,
        case: Case,
        *,
        inputs: Array | None = None,
        cotangent: Output | None = None,
        from_given_state: bool = False,
    ) -> Gradients:
        """Load the weights of the case and take the gradients with its cotangent, from zeros or from its own state."""
        given = {**case.given, "initial_state": case.initial_state} if from_given_state else case.given
        network = self.network(case)
        return network.gradients(
            case.inputs if inputs is None else inputs, case.cotangent if cotangent is None else cotangent, **given
        )

    def judge(self, case: Case, output: Output, *, from_given_state: bool = False) -> bool:
        """Judge all that was returned, and say whether a wrong recurrence would have shown. Raises NonConforming."""
        case, choices = self._as_kept(case), self.subject.description.choices
        findings: Findings = judge(case, output, self.precision, choices, from_given_state=from_given_state)
        for judgement in findings.judgements:
            self.evidence.add(judgement, case)
        return findings.discriminates

    def judge_gradients(
        self,
        case: Case,
        gradients: Gradients,
        *,
        cotangent: Output | None = None,
        only: Callable[[str], bool] = lambda name: True,
        from_given_state: bool = False,
    ) -> bool:
        """Judge the gradients that are picked by name, and say whether a truncated one would have shown.

        The arguments are those of `judging.gradients.judge_gradients`. Raises NonConforming.
        """
        findings = judge_gradients(
            self._as_kept(case),
            gradients,
            self.precision,
            self.subject.description.choices,
            cotangent=cotangent,
            only=only,
            from_given_state=from_given_state,
        )
        for judgement in findings.judgements:
            self.evidence.add(judgement, case)
        return findings.discriminates

    def _as_kept(self, case: Case) -> Case:
        """The case with the weights that its network, which has been run, says that it has.

        They are those that were loaded, but in a way that rounds them. Raises NonConforming where they are others.
        """
        if case.architecture.mode not in self.subject.description.rounding:
            return case
        kept = self.subject.network(case.architecture).weights()
        judge_rounded(case.weights, kept)
        return case.with_arrays(replace(case.arrays, weights=kept))


Function = Callable[[Check], None]
"""A check's function, which raises NonConforming where the subject is wrong."""
