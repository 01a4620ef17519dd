"""What a check found beside its first failure: how far deviations reach, other failures, and rows of features."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Extent:
    """How much of a check one known deviation touches: so many `cases` of all that could have been drawn.

    They were left out, unless `judged_at` says by what they were judged in place of their own precision, such as
    ``float32's roundoff``: then it is so many of the examples.
    """

    deviation: str
    cases: int
    of: int
    judged_at: str = ""


@dataclass(frozen=True)
class Further:
    """Another kind of failure of a check than its first: its first `message`, its `case`, and how often it was met."""

    message: str
    case: str = ""
    times: int = 1
    witness_file: str = ""
    replay: str = ""


@dataclass(frozen=True)
class Row:
    """What became of one row of crossed features: a verdict, and what there was to say of it.

    That is the message of a failure, the reason of a refusal, or the known deviations that carve the row out.
    """

    outcome: str
    said: str = ""
