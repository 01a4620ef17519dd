"""From what happened in a check to its verdict."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.engine.check import Check, Function
from rnn_conformance.conformance.engine.evidence import Evidence
from rnn_conformance.conformance.engine.failures import Pin, kind_of
from rnn_conformance.conformance.engine.pinning import pinned, witnesses
from rnn_conformance.conformance.engine.subject import BrokenAdapter, SubjectExited, SubjectRaised
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.deviations import Deviation, facts_of
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.model.states import state_arrays
from rnn_conformance.reports.records.parts import Extent, Further
from rnn_conformance.reports.records.records import UNBOUNDED, Cause, CheckRecord, Worst

_ENOUGH = 0.2
"""At least so many examples must be able to tell a wrong subject from a right one, for each clause of a check."""

_WITNESSES = 4
"""So many kinds of failures beside the first have a witness."""

_LARGEST_WITNESS = 400
"""Arrays with more elements than this are described in the record, not written out: nobody would read them."""


@dataclass(frozen=True)
class Outcome:
    """What one run of a check gave; the evidence is in `check`, and `failure` is what a failing one raised.

    `pin` is the example that did not work, if it was one; `number` counts the kinds of failures of a check from 0.
    """

    check: Check
    verdict: str
    message: str = ""
    failure: NonConforming | None = None
    pin: Pin | None = None
    number: int = 0

    @property
    def details(self) -> Mapping[str, Any]:
        return self.failure.details if self.failure else {}

    @property
    def case(self) -> Case | None:
        """The case that did not work, if it was one, with arrays to which no call has written."""
        return None if self.pin is None or self.pin.case is None else self.pin.case.fresh()


@dataclass(frozen=True)
class Kept:
    """Where the evidence of a failure was written, relative to the results, and how to run it again."""

    witness_file: str = ""
    reproducer_file: str = ""
    no_reproducer: str = ""
    replay: str = ""


Keep = Callable[[Item, Outcome], Kept]
"""Writes the witness of an outcome, and a reproducer where there can be one."""

Explain = Callable[[Function, Check, NonConforming], str]
"""Says of a check that failed what its failure looks like, in words; empty where it looks like nothing known."""


@ignoring_flags
def conclude(
    check: Check,
    function: Function,
    item: Item,
    deviations: Sequence[Deviation] | None = None,
    explain: Explain | None = None,
    keep: Keep | None = None,
    elsewhere: Sequence[Deviation] = (),
) -> CheckRecord:
    """Run the function of a check, described by `item`, and say what came out.

    `deviations` are the known ones that speak of it, `elsewhere` those that do in other versions only. What fails is
    given to `explain`, and whatever does not conform to `keep`.
    """
    start = time.perf_counter()
    check.deviations = tuple(deviations or ())
    shown = outcome = _outcome(check, function, item.clauses)
    verdict, message = outcome.verdict, outcome.message
    known: list[Deviation] = []
    stale: list[Outcome] = []
    if check.deviations:
        seen, stale = _replayed(check, function, item)
        touching = check.evidence.known
        known = [*touching, *(deviation for deviation, _ in seen if deviation not in touching)]
        if verdict in ("conforms", "unsupported", "observed") and stale:
            shown = stale[0]
            verdict, message = shown.verdict, "\n".join(each.message for each in stale)
        elif verdict == "conforms" and known:
            verdict, message = "deviation", "; ".join(map(_treated, known))
            if seen:
                _, shown = seen[0]
                message = shown.message
    if verdict != "deviation":
        known = []
    diagnosis = _diagnosis(shown, function, explain) if explain and verdict == "fails" else ""
    if diagnosis:
        message = f"{message} — {diagnosis}"
        shown = replace(shown, message=message)
    kept = keep(item, shown) if keep and shown.verdict in ("fails", "crashed", "broken") else Kept()
    further = list(_further(item, check, keep))
    if outcome.verdict == "fails":
        further += [Further(each.message) for each in stale]
    evidence, case = check.evidence, shown.case
    worst = evidence.worst
    return CheckRecord(
        **asdict(item),
        verdict=verdict,
        seconds=round(time.perf_counter() - start, 4),
        examples=evidence.examples,
        discriminating=evidence.discriminating,
        worst=None if worst is None else Worst(worst.ratio, worst.ulps, worst.where, str(evidence.worst_case or "")),
        message=message,
        case=str(case) if case else "",
        witness=dict(_arrays(case, shown.details)),
        deviation=", ".join(deviation.name for deviation in known),
        reason="\n".join(deviation.explanation for deviation in known),
        causes=[each.in_short for each in known],
        extents=list(_extents(evidence)),
        not_looked_at=_not_looked_at(shown, elsewhere) if verdict == "fails" else [],
        diagnosis=diagnosis,
        further=further,
        rows=dict(evidence.rows),
        measured=dict(evidence.measured),
        shares=dict(evidence.shares),
        structures=len(evidence.asked),
        refusals=dict(Counter(evidence.refused.values())),
        by_clause={c: evidence.discriminating_for(c) for c in item.clauses} if len(item.clauses) > 1 else {},
        **asdict(kept),
    )


def _outcome(check: Check, function: Function, clauses: Sequence[str]) -> Outcome:
    """Run the check of these clauses once, or, in a soak, with each of its seeds."""
    evidence = check.evidence
    try:
        check.requires(check.dtype)
        check.requires(check.cell)
        function(check)
        if check.profile.repeats and check.pin is None and not evidence.failures:
            _soak(check, function)
    except Unsupported as reason:
        if not evidence.failures:
            return Outcome(check, "unsupported", str(reason))
    except (NonConforming, SubjectExited) as failure:
        if kind_of(failure) not in [each.kind for each in evidence.failures]:
            evidence.fail(failure, None)  # not within an example
    except BrokenAdapter as mistake:
        return Outcome(check, "broken", str(mistake))
    except Exception as error:  # nothing of the subject's comes here unguarded, so this is an error of the suite
        if not evidence.failures:
            return Outcome(check, "broken", traceback.format_exc())
        evidence.cut_short = f"{type(error).__name__}: {error}"
    if evidence.failures:
        first = _failed(check, 0)
        if first.failure and first.failure.judgement:
            evidence.add(first.failure.judgement, evidence.failing_case)
        return first
    if evidence.refused and not evidence.examples:
        return Outcome(check, "unsupported", next(iter(evidence.refused.values())))
    if check.pin is not None:
        if evidence.examples:
            return Outcome(check, "conforms")
        return Outcome(check, "broken", "the check does not come to the example of this witness any more: make it anew")
    if evidence.observed:
        return Outcome(check, "observed", evidence.observed)
    doubts = "; ".join(_doubts(check, clauses))
    return Outcome(check, "untrusted" if doubts else "conforms", doubts)


def _failed(check: Check, number: int) -> Outcome:
    """The outcome that the failure of this number is."""
    failure = check.evidence.failures[number]
    if isinstance(failure.error, SubjectExited):
        return Outcome(check, "crashed", str(failure.error), pin=failure.pin, number=number)
    return Outcome(check, "fails", str(failure.error), failure.error, failure.pin, number)


def _further(item: Item, check: Check, keep: Keep | None) -> Iterator[Further]:
    """The failures of other kinds than the first, the first few of them with a witness."""
    for number, failure in enumerate(check.evidence.failures[1:], start=1):
        outcome = _failed(check, number)
        kept = keep(item, outcome) if keep and number <= _WITNESSES else Kept()
        case = str(outcome.case or "")
        yield Further(outcome.message, case, failure.times, kept.witness_file, kept.replay)
    if check.evidence.cut_short:
        yield Further(f"after that the check could not go on: {check.evidence.cut_short}")


def _treated(deviation: Deviation) -> str:
    how = f"judged at {deviation.judged_at}" if deviation.judged_at else "left out"
    return f"{how}: {deviation.extent}"


def _extents(evidence: Evidence) -> Iterator[Extent]:
    """How many of the cases that could have been drawn each known deviation touched, or of the examples that were."""
    for deviation in evidence.known:
        of = evidence.examples if deviation.precision else evidence.considered
        yield Extent(deviation.name, evidence.touched[deviation.name], of, deviation.judged_at)


def _doubts(check: Check, clauses: Sequence[str]) -> Iterator[str]:
    """Why a check that passed proves little; nothing where all its examples belong to known deviations."""
    evidence, told = check.evidence, "could have told a wrong layer from a right one"
    if not evidence.discriminating and not (evidence.known and not evidence.examples):
        yield f"none of {evidence.examples} examples {told}"
    else:
        counts = {clause: evidence.discriminating_for(clause) for clause in clauses}
        for clause, count in counts.items():
            if count < _ENOUGH * evidence.examples:
                yield f"clause {clause}: {count} of {evidence.examples} examples {told}"
    if 2 * len(evidence.refused) > len(evidence.asked) and check.offers("any size"):
        reason = next(iter(evidence.refused.values()))
        yield f"{len(evidence.refused)} of {len(evidence.asked)} models were refused, which is not declared: {reason}"
    unbounded, judged = evidence.shares[UNBOUNDED], evidence.shares.total()
    if 2 * unbounded > judged:
        yield f"{unbounded} of {judged} arrays that were judged have bounds beyond anything that could come out"


def _soak(check: Check, function: Function) -> None:
    """Run the check with the seeds after the first."""
    for done in range(1, check.seeds):
        check.evidence.measured["seeds"] = done
        check.begin_again()
        function(check)
        if check.evidence.failures:
            return
    check.evidence.measured["seeds"] = check.seeds


def _replayed(check: Check, function: Function, item: Item) -> tuple[list[tuple[Deviation, Outcome]], list[Outcome]]:
    """Run the witnesses that belong to this check: those that still fail, and complaints about those that do not."""
    seen, stale = [], []
    for deviation in check.deviations:
        if not witnesses(deviation.witness, item, check.modes or (check.mode,)):
            continue
        again = _outcome(pinned(replace(check, evidence=Evidence()), deviation.witness), function, item.clauses)
        if again.verdict == "fails":
            seen.append((deviation, again))
        elif again.verdict == "broken":
            stale.append(replace(again, message=f"the witness of the deviation {deviation.name!r}: {again.message}"))
        else:
            complaint = f"the known deviation {deviation.name!r} no longer occurs ({again.verdict}): correct its entry"
            stale.append(replace(again, verdict="fails", message=complaint))
    return seen, stale


def _not_looked_at(outcome: Outcome, elsewhere: Sequence[Deviation]) -> list[Cause]:
    """The deviations, known in other versions, that this failure may be, so far as its case tells."""
    check, case = outcome.check, outcome.case
    facts = {"dtype": [check.dtype], "mode": [check.mode]} if case is None else facts_of(case)
    return [deviation.in_short for deviation in elsewhere if deviation.may_cover(facts)]


def _diagnosis(outcome: Outcome, function: Function, explain: Explain) -> str:
    """What the failure looks like, in words; empty where it looks like nothing that is known."""
    if outcome.failure is None or isinstance(outcome.failure, SubjectRaised):
        return ""
    try:
        return explain(function, outcome.check, outcome.failure)
    except Exception:  # the finding is worth more than its diagnosis
        return f"the diagnosis did not work:\n{traceback.format_exc()}"


def _arrays(case: Case | None, details: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arrays of a case and what was returned, by name, ready for JSON."""
    if case is not None:
        yield "inputs", _readable(case.inputs)
        for name, array in case.weights.arrays():
            yield name, _readable(array)
        for name, h in state_arrays("initial_state", case.initial_state):
            yield name, _readable(h)
        if case.mask is not None:
            yield "mask", _readable(case.mask)
    for name, value in details.items():
        yield name, _readable(value)


def _readable(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.size > _LARGEST_WITNESS:
        return f"{value.dtype} array of shape {value.shape}, beginning {value.ravel()[:8].tolist()}"
    return value.tolist()
