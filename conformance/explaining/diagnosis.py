"""What a failure looks like: the failing example is run again on every mutant, to see which of them fails like that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.conformance.engine.check import Check, Function
from rnn_conformance.conformance.engine.evidence import Evidence
from rnn_conformance.conformance.engine.failures import Pin, in_words
from rnn_conformance.conformance.engine.subject import Subject, SubjectExited
from rnn_conformance.conformance.explaining.probing import is_contradicted, passed
from rnn_conformance.conformance.explaining.rarely import rhythm_of
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.base import MutantAdapter
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.cells import SOUND_OF, cell_of
from rnn_conformance.conformance.mutants.families import family_of_all, told_of
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.arithmetic.flags import ignoring_flags

Outcome = NonConforming | SubjectExited | None
"""How an example failed, or None if it passed."""

_NEARER = 1000
"""How many times nearer a mutant must be to the subject than the subject is to what it should be.

Between what the two have in common, which is a fault, and what they differ in, which is rounding, lies more than that
in all but faults of the last bits; and of these an accident could not explain all but a thousandth.
"""

_FURTHER = 6
"""So many other sets of numbers must show the same, since a small case may look like several faults."""

_OF_SOME_CALLS = ("calls", "rare")
"""The themes of the mutants whose calls are not all alike."""

_SHOWN = 3
"""Where a failure is like more mutants than this, it is their family that is told, and so many of them."""


def explain(function: Function, check: Check, failure: NonConforming | SubjectExited) -> str:
    """What the failure of a check looks like, in words; empty where it looks like nothing that is known.

    The arguments are those of `recognise`.
    """
    sentences = diagnose(function, check, failure)
    if len(sentences) <= _SHOWN:
        return "matches " + ", or ".join(f'"{sentence}"' for sentence in sentences) if sentences else ""
    family = family_of_all([name for name, fault in catalogue().items() if fault.sentence in sentences])
    assert family is not None, "a diagnosis is of one family"
    told = ", ".join(f'"{sentence}"' for sentence in sentences[:_SHOWN])
    return f"matches faults of a family: {family.sentence}; such as {told}, and {len(sentences) - _SHOWN} more"


def diagnose(function: Function, check: Check, failure: NonConforming | SubjectExited) -> list[str]:
    """The sentences of all mutants that cannot be told from the subject of a failed check.

    None if it is like no mutant, or like some that have no family in common, which is an accident. The arguments are
    those of `recognise`.
    """
    return [catalogue()[name].sentence for name in told_of(recognise(function, check, failure))]


def recognise(function: Function, check: Check, failure: NonConforming | SubjectExited) -> list[str]:
    """The names of all mutants that fail as the subject of a failed check does, and pass what that passes.

    Mutants are those of the check's cell. `check` is as it was when its `function` failed. It is left as it is, and so
    is its subject: whatever is run again is run on networks of its own.
    """
    pin = check.evidence.failing
    if pin is None:
        return []
    alike = _alike(function, check, pin, failure)
    if not alike:
        return []
    probes = passed(check)
    return [name for name in alike if not is_contradicted(_mutant(name, check), check, probes)]


def _alike(function: Function, check: Check, pin: Pin, failure: NonConforming | SubjectExited) -> list[str]:
    """The names of all mutants on which the example of the pin fails as it does on the subject."""
    subject = check.subject.anew()
    first = _outcome(function, check, subject, pin)
    mutants = {name: _mutant(name, check) for name, fault in catalogue().items() if cell_of(fault) == check.cell}
    if first is None and (again := _outcome(function, check, subject, pin)) is not None:
        # What an earlier call left behind makes it fail: so it is run twice on every mutant.
        return [name for name, mutant in mutants.items() if _second_time(again, function, check, mutant, pin)]
    if first is None:
        return _now_and_then(function, check, pin, mutants, failure)

    sound = MutantAdapter(SOUND_OF[check.cell], check.subject.description)
    if _same(first, _outcome(function, check, Subject(sound), pin)):
        return []  # with these choices, a sound layer comes out like that: every mutant would
    alike = [name for name, mutant in mutants.items() if _same(first, _outcome(function, check, mutant, pin))]
    for other, seed in _further(pin, check.seed):
        if not alike:
            break
        wanted = _outcome(function, check, subject, other, seed)
        alike = [name for name in alike if _same(wanted, _outcome(function, check, mutants[name], other, seed))]
    return alike


def _mutant(name: str, check: Check) -> Subject:
    """A mutant in the place of the subject of a check."""
    return Subject(catalogue()[name].adapter(check.subject.description))


def _further(pin: Pin, seed: int) -> Iterable[tuple[Pin, int]]:
    """The same example with other numbers; one that is not drawn follows from the seed of the check."""
    for k in range(1, _FURTHER + 1):
        if pin.case is None:
            yield pin, seed + k
        else:
            yield replace(pin, case=replace(pin.case, seed=pin.case.seed + k)), seed


def _outcome(function: Function, check: Check, subject: Subject, pin: Pin, seed: int | None = None) -> Outcome:
    """How the example of the pin comes out on that subject."""
    again = replace(
        check,
        subject=subject,
        seed=check.seed if seed is None else seed,
        pin=pin,
        patience=0.0,
        evidence=Evidence(),
        journal=Journal(None),
        _searches=0,
    )
    try:
        function(again)
    except (NonConforming, SubjectExited) as failure:
        return failure
    except Exception:  # a mutant may upset a check, and then it explains nothing: a diagnosis must never end a run
        return None
    return None


def _second_time(wanted: Outcome, function: Function, check: Check, mutant: Subject, pin: Pin) -> bool:
    """Whether a mutant, too, passes the example at first and then fails it like that."""
    return _outcome(function, check, mutant, pin) is None and _same(wanted, _outcome(function, check, mutant, pin))


def _now_and_then(
    function: Function, check: Check, pin: Pin, mutants: dict[str, Subject], failure: Outcome
) -> list[str]:
    """The mutants that fail in that way in some calls and not in others, in the rhythm in which the subject does."""

    def fails(subject: Subject) -> Callable[[], bool]:
        def once_more() -> bool:
            outcome = _outcome(function, check, subject, pin)
            return outcome is not None and in_words(str(outcome)) == in_words(str(failure))

        return once_more

    wanted = rhythm_of(fails(check.subject.anew()))
    if wanted is None:
        return []
    some = [name for name in mutants if catalogue()[name].theme in _OF_SOME_CALLS]
    return [name for name in some if rhythm_of(fails(mutants[name]), wanted) == wanted]


def _same(failure: Outcome, other: Outcome) -> bool:
    """Whether two subjects came out of an example in the same way."""
    if failure is None or other is None:
        return failure is other
    if type(failure) is not type(other) or in_words(str(failure)) != in_words(str(other)):
        return False
    if not isinstance(failure, NonConforming) or not isinstance(other, NonConforming):
        return True
    arrays = failure.details.get("actual"), other.details.get("actual"), failure.details.get("expected")
    if not all(isinstance(array, np.ndarray) for array in arrays):
        return str(failure) == str(other)
    return _near(*arrays)


@ignoring_flags
def _near(seen: Any, like: Any, expected: Any) -> bool:
    """Whether two arrays are so alike, measured by what was expected, that both are wrong for the same reason."""
    if seen.shape != like.shape or seen.dtype != like.dtype or seen.shape != expected.shape:
        return False
    if seen.dtype.kind in "iub":
        return bool((seen == like).all())
    seen, like, expected = (array.astype(np.float64) for array in (seen, like, expected))
    finite = np.isfinite(seen)
    if not np.array_equal(np.where(finite, 0, seen), np.where(np.isfinite(like), 0, like), equal_nan=True):
        return False
    apart, wrong = np.abs(seen - like)[finite], np.abs(seen - expected)
    # Where one of the two is not finite and the other is, nothing could be further apart.
    largest = wrong.max(initial=0) if finite.all() and np.isfinite(expected).all() else np.inf
    return bool(apart.max(initial=0) * _NEARER <= largest)
