"""How often a fault shows that does not always: in which of many calls the same example fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

_CALLS = 330
"""So many times an example is run again; the check of many calls (test_rare.py) makes nearly as many."""


@dataclass(frozen=True)
class Rhythm:
    """When an example fails: ``once`` or ``from then on`` at a call, in ``each`` so many, or ``now and then``."""

    word: str
    number: int = 0


def rhythm_of(fails: Callable[[], bool], wanted: Rhythm | None = None) -> Rhythm | None:
    """The rhythm in which an example fails; None if it never does, or shows another than the one that is wanted."""
    failed: list[int] = []
    for k in range(1, _CALLS + 1):
        if fails():
            failed.append(k)
            if wanted is not None and not _may_be(failed, wanted):
                return None
    return _rhythm(failed)


def _rhythm(failed: list[int]) -> Rhythm | None:
    if not failed:
        return None
    if len(failed) == 1:
        return Rhythm("once", failed[0])
    gaps = {later - earlier for earlier, later in pairwise(failed)}
    if gaps == {1} and failed[-1] == _CALLS:
        return Rhythm("from then on", failed[0])
    return Rhythm("each", gaps.pop()) if len(gaps) == 1 else Rhythm("now and then")


def _may_be(failed: list[int], wanted: Rhythm) -> bool:
    """Whether calls that failed so far may be the first ones of that rhythm."""
    if wanted.word == "once":
        return failed == [wanted.number]
    if wanted.word == "from then on":
        return failed == list(range(wanted.number, failed[-1] + 1))
    return wanted.word == "now and then" or all(b - a == wanted.number for a, b in pairwise(failed))
