"""Whether a subject refuses what it is asked, and with which words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from rnn_conformance.conformance.engine.subject import BrokenAdapter, SubjectRaised, cut, in_a_line

T = TypeVar("T")


def attempt(call: Callable[[], T]) -> T | SubjectRaised:
    """What the call returns, or the exception with which the subject refused it.

    Raises BrokenAdapter where the exception comes from a mistake in the adapter, which is no refusal.
    """
    try:
        return call()
    except SubjectRaised as refusal:
        if refusal.mistake:
            raise BrokenAdapter(f"{refusal}, which is no refusal but a mistake in {refusal.mistake}") from refusal
        return refusal


def words(refusal: SubjectRaised, length: int = 160) -> str:
    """The type of the framework's exception and the beginning of its message, the same in every run.

    Addresses, paths and the numbers that frameworks give to their layers are left out.
    """
    cause = refusal.__cause__
    text = in_a_line(str(cause))
    text = text.partition("Arguments received by")[0]  # Keras goes on with all the arguments of a call
    text = re.sub(r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*?\]", "", text)  # nodes of TensorFlow's graphs
    text = re.sub(r"\b0x[0-9a-fA-F]+\b", "0x...", text)
    text = re.sub(r"(?:/[\w.\-]+){2,}", "...", text)
    text = re.sub(r"_\d+\b", "", text)
    return f"{type(cause).__name__}: {cut(' '.join(text.split()), length)}"
