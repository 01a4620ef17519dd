"""The words of a refusal, which stand in reports and are compared with those of other versions."""

from __future__ import annotations

import pytest

from rnn_conformance.conformance.checks.refusals import attempt, words
from rnn_conformance.conformance.engine.subject import SubjectRaised, guard


def refusal_of(message: str) -> SubjectRaised:
    def refuses() -> None:
        with guard("run"):
            raise ValueError(message)

    refused = attempt(refuses)
    assert isinstance(refused, SubjectRaised)
    return refused


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("expected\n  3 features", "expected 3 features"),
        ("\x1b[1mexpected\x1b[0m 3 features", "expected 3 features"),
        ("<Layer at \x1b[31m0x7f5c2a> is not built", "<Layer at 0x...> is not built"),
        ("layer simple_rnn_17 expected 3 features", "layer simple_rnn expected 3 features"),
        ("see /home/me/keras/src/layer.py for more", "see ... for more"),
        ("expected 3 features\n\nArguments received by SimpleRNN.call(): sequence=…", "expected 3 features"),
    ],
)
def test_words_are_the_same_in_every_run(message: str, told: str) -> None:
    """Line ends, colours, addresses, paths, numbers of layers and the arguments of the call are left out."""
    assert words(refusal_of(message)) == f"ValueError: {told}"


def test_long_message_is_cut_visibly() -> None:
    """Who reads the beginning sees that there was more; what fits is whole."""
    assert words(refusal_of("x" * 80), 80) == f"ValueError: {'x' * 80}"
    assert words(refusal_of("x" * 81), 80) == f"ValueError: {'x' * 79}…"
    assert str(refusal_of("x" * 401)) == f"run raised ValueError: {'x' * 399}…"
