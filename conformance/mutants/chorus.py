"""Many mutants in one run of a check, on the calls of a sound layer: which of them the check has any chance to notice.

A mutant that answered every call of a check with the very bits of the sound layer was not noticed by it, for it would
have been called in the same way. So a check need be run in full on the few others only, where it would else have to be
run on hundreds of mutants to show that only one check notices one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.conformance.mutants.base import SOUND, Mutant
from rnn_conformance.conformance.mutants.cells import GATED, SOUND_OF
from rnn_conformance.reference.model.architecture import Architecture


class Chorus:
    """An adapter whose answers are those of a sound layer; `apart` are the names of the mutants that gave others.

    The mutants are all of one `cell`.
    """

    def __init__(self, mutants: Iterable[Mutant], cell: str = "simple_rnn") -> None:
        self.mutants = tuple(mutants)
        self.sound = SOUND_OF[cell]
        self.apart: set[str] = set()

    def describe(self) -> Description:
        return SOUND if self.sound is SOUND_OF["simple_rnn"] else GATED

    def prepare(self, architecture: Architecture) -> _Voices:
        return _Voices(self, architecture)


class _Voices:
    """A network of the sound layer and one of each mutant, all of which get every call."""

    def __init__(self, chorus: Chorus, architecture: Architecture) -> None:
        self._chorus = chorus
        given = (architecture, SOUND.choices)
        self._sound, self._others = chorus.sound(*given), {}
        for mutant in chorus.mutants:
            answer = _answer(mutant.network, given)
            if isinstance(answer, Exception):
                chorus.apart.add(mutant.name)
            else:
                self._others[mutant.name] = answer

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: Any, **given: Any) -> Any:
            right = _answer(getattr(self._sound, method), arguments, given)
            for name in self._others.keys() - self._chorus.apart:
                if not _same(right, _answer(getattr(self._others[name], method), arguments, given)):
                    self._chorus.apart.add(name)
            if isinstance(right, Exception):
                raise right
            return right

        return call


def _answer(function: Any, arguments: Iterable[Any], given: dict[str, Any] | None = None) -> Any:
    """What a call returned, or the exception that it raised."""
    try:
        return function(*arguments, **(given or {}))
    except Exception as error:  # a mutant may fail in any way, and a refusal is an answer, too
        return error


def _same(one: Any, other: Any) -> bool:
    """Whether two answers agree in type, shape and every bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if is_dataclass(one):
        return all(_same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return str(one) == str(other) if isinstance(one, Exception) else bool(one == other)
