"""Two results can be compared if the same state of the suite made them, whatever its files are called."""

from __future__ import annotations

import os

import pytest

from rnn_conformance.conformance import identity
from rnn_conformance.conformance.identity import handed_on, statement_digests, suite_digest

SOURCE = '''"""A module."""

import numpy as np

LIMIT = 3


def double(x: float) -> float:
    """Twice as much."""
    return 2 * x
'''


def digests(source: str) -> list[str]:
    return sorted(statement_digests(source))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Other words."""'),
        ('"""Twice as much."""', '"""Doubled."""  # a comment'),
        ("import numpy as np", "from somewhere import numpy as np"),
        ("return 2 * x", "return (2\n        * x)"),
        ("LIMIT = 3\n", ""),  # it stands below
    ],
)
def test_words_and_places_do_not_matter(old: str, new: str) -> None:
    """Docstrings, comments, layout, imports and the order of statements decide nothing."""
    assert old in SOURCE
    moved = SOURCE.replace(old, new) + ("\nLIMIT = 3\n" if not new else "")
    assert digests(moved) == digests(SOURCE)


@pytest.mark.parametrize(("old", "new"), [("2 * x", "x * 2"), ("LIMIT = 3", "LIMIT = 4"), ("double", "twice")])
def test_what_is_computed_matters(old: str, new: str) -> None:
    assert digests(SOURCE.replace(old, new)) != digests(SOURCE)


def test_the_suite_has_a_digest() -> None:
    """Short enough to be read, and the same when it is asked for again."""
    found = suite_digest()
    assert len(found) == 12
    assert int(found, 16) >= 0
    assert suite_digest.__wrapped__() == found


def test_a_process_is_told_the_digest_by_its_parent_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that was inherited from elsewhere could be that of another state of the suite."""
    monkeypatch.setattr(identity, "_sources", lambda: [SOURCE])
    ((variable, told),) = handed_on().items()
    assert told == f"{os.getpid()} {suite_digest()}"
    monkeypatch.setenv(variable, f"{os.getppid()} 0123456789ab")
    assert suite_digest.__wrapped__() == "0123456789ab"
    monkeypatch.setenv(variable, f"{os.getpid()} 0123456789ab")
    assert suite_digest.__wrapped__() != "0123456789ab"
