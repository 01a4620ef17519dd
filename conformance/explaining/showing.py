"""Which one call shows a failure: the example is run again to see what it asks, and each such call is tried alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.engine.check import Check, Function
from rnn_conformance.conformance.engine.evidence import Evidence
from rnn_conformance.conformance.engine.failures import in_words
from rnn_conformance.conformance.engine.subject import BrokenAdapter, SubjectExited, SubjectRaised
from rnn_conformance.conformance.engine.verdicts import Outcome
from rnn_conformance.conformance.explaining.listening import Asked, Call, asked_in
from rnn_conformance.conformance.explaining.right import (
    Found,
    arrays,
    case_of,
    is_off,
    largest_error,
    right_of,
    sequence_off,
)
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.deviations import facts_of
from rnn_conformance.conformance.witnesses.journal import Journal

_NO_VALUES = "it is no matter of values: the message says what happened"
_SEVERAL = "one call alone gives what the specification says: it takes several to see the difference"

_OF_A_TYPE = re.compile(r"outputs\.(dtype|shape) = ")
"""How the message begins where outputs are of another dtype or shape."""

_NOT_MADE = {
    "train": "a step of training",
    "run_training": "a call in training",
    "reset": "a reset of its state",
    "parameter_count": "a count of parameters",
}
"""What a script does not do, by the method that asks for it."""

_TRIED = 4
"""Of an example that makes many calls the last so many are tried: each takes a model of its own."""


class NoReproducer(Exception):
    """There can be no script; the message says why."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The call that shows a failure, and what is wrong with it.

    It gives other numbers than it should, which are off by `error`, raises an exception of the type `raised`, gives
    outputs of another dtype or shape, or is accepted where there should be an exception.
    """

    call: Call
    wrong: Literal["numbers", "raises", "type", "accepted"]
    error: float = 0.0
    raised: str = ""


def what_shows(outcome: Outcome, clauses: Sequence[str], function: Function | None, most: int) -> Shown:
    """The call that shows what failed in an outcome: with what the check's example is, or else one that it makes.

    A call of more than `most` numbers is cut down to the sequence that shows it. Raises NoReproducer, with the reason,
    where no call does so alone.
    """
    failure, case = outcome.failure, outcome.case
    if failure is None:
        raise NoReproducer(_NO_VALUES)
    reason = _NO_VALUES
    if _is_of_numbers(failure):
        if case is not None:
            try:
                return _of_the_case(outcome.check, case, clauses)
            except NoReproducer as error:
                reason = str(error)
        else:
            reason = "the example is none of the drawn cases"
    if function is None:
        raise NoReproducer(reason)
    asked, again = asked_in(function, outcome.check, outcome.pin)
    if not asked or not _alike(failure, again):
        raise NoReproducer(reason)
    last = asked[-1]
    if isinstance(failure, SubjectRaised):
        return _raising(outcome, last, failure, most)
    if _OF_A_TYPE.match(str(failure)):
        return _of_another_type(outcome.check, last)
    if _is_of_numbers(failure):
        return _of_what_was_asked(outcome, asked, reason, most)
    if any(number.startswith("14.") for number in clauses):
        return _accepted(outcome.check, last)
    raise _not_made(last.method) if last.method in _NOT_MADE else NoReproducer(reason)


def _not_made(method: str) -> NoReproducer:
    return NoReproducer(f"it takes {_NOT_MADE.get(method, f'a call of {method}')}, and scripts make plain calls")


def _is_of_numbers(failure: NonConforming) -> bool:
    return failure.judgement is not None or "expected" in failure.details


def _alike(failure: NonConforming, again: object) -> bool:
    """Whether the example has failed in that way once more."""
    if type(failure) is not type(again) or not isinstance(again, NonConforming):
        return False
    if isinstance(failure, SubjectRaised):  # whose messages have numbers and addresses of any kind
        return type(failure.__cause__) is type(again.__cause__)
    return in_words(str(failure)) == in_words(str(again))


def call_of(case: Case, *, from_given_state: bool = False, gradients: bool = False) -> Call:
    """The call of a case, from its initial state or from none, or that for its gradients."""
    given = {**case.given, "initial_state": case.initial_state} if from_given_state else case.given
    return Call(case.architecture, case.weights, case.inputs, given, case.cotangent if gradients else None)


def _of_the_case(check: Check, case: Case, clauses: Sequence[str]) -> Shown:
    """The first that fails of a call from no state, of one from the case's own, and of the gradients.

    The check itself may do more than one call; a script does one.
    """
    trial = replace(check, evidence=Evidence())
    starts = (False, True) if check.offers("initial state") else (False,)
    of_gradients = check.offers("gradients") and any(number.startswith("11.") for number in clauses)
    tries = [(given, False) for given in starts] + ([(starts[-1], True)] if of_gradients else [])
    for given, gradients in tries:
        judge = partial(_judge_gradients if gradients else _judge, trial, case, given)
        try:
            trial.judged(judge, partial(facts_of, case))
        except NonConforming as failure:
            if failure.judgement is None:
                raise NoReproducer(_NO_VALUES) from None
            call = call_of(case, from_given_state=given, gradients=gradients)
            return Shown(call, "numbers", failure.judgement.error)
        except (Unsupported, SubjectExited, BrokenAdapter) as reason:  # of a call that the check did not make
            raise NoReproducer(f"one call alone does not go: {reason}") from reason
    raise NoReproducer(_SEVERAL)


def _judge(trial: Check, case: Case, given: bool) -> bool:
    state = case.initial_state if given else None
    return trial.judge(case, trial.run(case, initial_state=state), from_given_state=given)


def _judge_gradients(trial: Check, case: Case, given: bool) -> bool:
    return trial.judge_gradients(case, trial.gradients(case, from_given_state=given), from_given_state=given)


def _of_what_was_asked(outcome: Outcome, asked: Sequence[Asked], reason: str, most: int) -> Shown:
    """The last of the calls that gives other numbers when it is made alone."""
    assert outcome.failure is not None
    calls = [each.call for each in asked if each.call is not None]
    for call in calls[: -_TRIED - 1 : -1]:
        found = _if_off(outcome, call)
        if found is None:
            continue
        choices = outcome.check.subject.description.choices
        if call.size > most and call.has_more_sequences:
            cut = call.of_sequence(sequence_off(found, right_of(call, choices), outcome.failure))
            if (of_cut := _if_off(outcome, cut)) is not None:
                call, found = cut, of_cut
        return Shown(call, "numbers", largest_error(found, right_of(call, choices)))
    raise _not_made(asked[-1].method) if asked[-1].method in _NOT_MADE else NoReproducer(reason)


def _if_off(outcome: Outcome, call: Call) -> Found | None:
    """What comes of the call, if that is not what should; where a known deviation allows for more, by its precision."""
    trial, failure = _trial(outcome.check), outcome.failure
    assert failure is not None
    found = _alone(trial, call)
    if isinstance(found, NonConforming):
        return None

    def must_be_right() -> None:
        if is_off(trial, call, found, failure):
            raise NonConforming("it is off")

    try:
        trial.judged(must_be_right, lambda: facts_of(outcome.case or case_of(call)))
    except NonConforming:
        return found[-1]
    return None


def _raising(outcome: Outcome, last: Asked, failure: SubjectRaised, most: int) -> Shown:
    """The call that raises."""
    call, case = last.call, outcome.case
    if last.method == "prepare" and case is not None:
        call = call_of(replace(case, architecture=last.architecture))
    if call is None:
        raise _not_made(last.method)
    tries = [call]
    if call.size > most and call.has_more_sequences:
        tries.insert(0, call.of_sequence(0))
    for one in tries:
        if _alike(failure, _alone(_trial(outcome.check), one)):
            return Shown(one, "raises", raised=type(failure.__cause__).__name__)
    raise NoReproducer("one call alone raises no such exception: it takes several to see it")


def _of_another_type(check: Check, last: Asked) -> Shown:
    """The call that gives outputs of another dtype or shape."""
    if last.method != "run" or last.call is None:
        raise NoReproducer(_NO_VALUES)
    found = _alone(_trial(check), last.call)
    if isinstance(found, NonConforming):
        is_other = _OF_A_TYPE.match(str(found)) is not None
    else:
        outputs = arrays(found[-1])["outputs"]
        is_other = (str(outputs.dtype), outputs.shape) != last.call.should_be
    if not is_other:
        raise NoReproducer(_SEVERAL)
    return Shown(last.call, "type")


def _accepted(check: Check, last: Asked) -> Shown:
    """The call that should be refused, and is not."""
    if last.call is None:
        raise _not_made(last.method)
    if isinstance(_alone(_trial(check), last.call), NonConforming):
        raise NoReproducer("one call alone is refused: it takes several to see that it is not")
    return Shown(last.call, "accepted")


def _trial(check: Check) -> Check:
    """The same check with networks of its own."""
    return replace(check, subject=check.subject.anew(), evidence=Evidence(), journal=Journal(None))


def _alone(trial: Check, call: Call) -> list[Found] | NonConforming:
    """What the call gives, after what those before it give, on a new model; or what that raises.

    Raises NoReproducer where it does not go at all.
    """
    try:
        return list(_made(trial, call))
    except NonConforming as error:
        return error
    except (Unsupported, SubjectExited, BrokenAdapter) as reason:
        raise NoReproducer(f"one call alone does not go: {reason}") from reason


def _made(trial: Check, call: Call) -> Iterator[Found]:
    network = trial.subject.network(call.architecture)
    network.load(call.weights)
    for inputs in call.earlier:
        yield network.run(inputs)
    if call.cotangent is None:
        yield network.run(call.inputs, **call.given)
    else:
        yield network.gradients(call.inputs, call.cotangent, **call.given)
