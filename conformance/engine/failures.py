"""How a check failed: the first failure of each kind, and what failures of one kind have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.engine.subject import SubjectExited
from rnn_conformance.conformance.judging.comparing import NonConforming

Error = NonConforming | SubjectExited
"""What an example raises that fails."""


@dataclass(frozen=True)
class Pin:
    """One example of a check: `search` counts its searches and single examples from 0, which have no `case`."""

    search: int
    case: Case | None


@dataclass
class Failure:
    """The first failure of its kind, of the example `pin` if it was one, and how often its kind was met."""

    error: Error
    pin: Pin | None
    times: int = 1

    @property
    def kind(self) -> str:
        return kind_of(self.error)

    @property
    def way(self) -> str:
        return way_of(self.pin)


def way_of(pin: Pin | None) -> str:
    """The way in which the model of an example is run; empty for an example without a case."""
    return pin.case.architecture.mode if pin and pin.case else ""


def kind_of(error: Error) -> str:
    """What failures of one kind have in common: their type, and their message without its numbers and places."""
    return f"{type(error).__name__}: {in_words(str(error))}"


def in_words(message: str) -> str:
    """A message without its numbers, and without the size of what it speaks of."""
    return re.sub(r"-?\b(\d[\d,.]*(e[+-]?\d+)?|inf|nan)\b", "#", message)
