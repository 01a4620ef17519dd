"""In which of many calls a fault shows that does not always, and how that is told from another."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from rnn_conformance.conformance.explaining.rarely import Rhythm, rhythm_of


def failing(at: Callable[[int], bool]) -> Callable[[], bool]:
    calls = count(1)
    return lambda: at(next(calls))


@pytest.mark.parametrize(
    ("at", "rhythm"),
    [
        (lambda k: False, None),
        (lambda k: k == 2, Rhythm("once", 2)),
        (lambda k: k >= 300, Rhythm("from then on", 300)),
        (lambda k: k % 50 == 20, Rhythm("each", 50)),
        (lambda k: k % 200 == 0, Rhythm("once", 200)),
        (lambda k: k in (3, 40, 41, 200), Rhythm("now and then")),
    ],
)
def test_rhythm(at: Callable[[int], bool], rhythm: Rhythm | None) -> None:
    """Where it is first met counts, but for what comes again and again."""
    assert rhythm_of(failing(at)) == rhythm
    if rhythm is not None:
        assert rhythm_of(failing(at), rhythm) == rhythm


def test_another_rhythm_is_soon_told() -> None:
    """No more calls are made than it takes."""
    made = []

    def fails() -> bool:
        made.append(1)
        return len(made) == 2

    assert rhythm_of(fails, Rhythm("from then on", 300)) is None
    assert len(made) == 2
