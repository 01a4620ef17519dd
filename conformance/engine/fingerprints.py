"""Fingerprints: what comes out of a few frozen examples of each check, to the bit, for a comparison after an upgrade.

Frozen examples depend on no seed, on no profile and not on Hypothesis; nor are they carved out by known deviations.
Nothing is judged in them: whether the numbers are right is what the rest of the check says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from rnn_conformance.adapters.protocol import Inputs, Unsupported
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.evidence import Evidence
from rnn_conformance.conformance.engine.subject import BrokenAdapter, GuardedNetwork, Subject, SubjectExited
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.weights import Weights
from rnn_conformance.reports.records.records import Fingerprint

T = TypeVar("T")

PROFILE = PROFILES["smoke"]
"""The budget of frozen examples: as many as run in seconds, on shapes that its run with seed 0 has compiled anyway."""

_FEW = 30
"""Up to so many numbers are kept beside their digest: what the smallest model there is returns."""

_DIGITS = 16
"""Hexadecimal digits of a digest."""


@ignoring_flags
def fingerprints(check: Check, function: Callable[[Check], None]) -> list[Fingerprint]:
    """The fingerprints of this check's frozen examples; none where the subject does not offer what it needs."""
    tape = Tape()
    frozen = replace(
        check,
        subject=TapedSubject(check.subject, tape),
        profile=PROFILE,
        seed=0,
        evidence=Evidence(),
        deviations=(),
        tape=tape,
        _searches=0,
    )
    # What an example raises is in its fingerprint; what is raised between two of them ends the check.
    with suppress(Unsupported, NonConforming, SubjectExited, BrokenAdapter):
        frozen.requires(frozen.dtype)
        function(frozen)
    return tape.fingerprints


class Tape:
    """Notes down what goes into a subject and what comes out, one example after another."""

    def __init__(self) -> None:
        self.fingerprints: list[Fingerprint] = []
        self._begin()

    def _begin(self) -> None:
        self._given, self._got = hashlib.sha256(), hashlib.sha256()
        self._numbers: list[float] = []
        self._raised = ""
        self._returned: dict[bytes, int] = {}

    def example(self, name: str, examine: Callable[[], object]) -> None:
        """Run one example and add its fingerprint, unless the subject refuses its model."""
        self._begin()
        try:
            with suppress(NonConforming, SubjectExited):
                examine()
        except Unsupported:
            return
        few = 0 < len(self._numbers) <= _FEW and not self._raised
        self.fingerprints.append(
            Fingerprint(
                name,
                self._given.hexdigest()[:_DIGITS],
                self._raised or self._got.hexdigest()[:_DIGITS],
                self._numbers if few else [],
            )
        )

    def call(self, method: str, given: object, run: Callable[[], T]) -> T:
        """Run one call of the subject, and note down what is given and what is returned or raised."""
        # What an earlier call returned, such as a state that is carried over, is no difference of its own.
        _feed(self._given, (method, given), self._returned)
        try:
            got = run()
        except (NonConforming, SubjectExited) as error:
            self._raised = self._raised or f"raised in {method}: {_kind(error)}"
            raise
        _feed(self._got, got)
        for array in _arrays(got):
            self._returned.setdefault(_bits(array), len(self._returned))
        if isinstance(got, Output | Gradients) and len(self._numbers) <= _FEW:
            self._numbers += [float(number) for array in _arrays(got) for number in array.ravel()[: _FEW + 1]]
        return got


class TapedSubject(Subject):
    """A subject with a tape running; it shares the networks of another, which were prepared before."""

    def __init__(self, subject: Subject, tape: Tape) -> None:
        self._subject, self._tape = subject, tape
        self.description = subject.description

    def network(self, architecture: Architecture) -> GuardedNetwork:
        return _TapedNetwork(self._subject.network(architecture), self._tape)

    def anew(self) -> Subject:
        return TapedSubject(self._subject.anew(), self._tape)


class _TapedNetwork(GuardedNetwork):
    """A network whose every call is noted down."""

    def __init__(self, network: GuardedNetwork, tape: Tape) -> None:
        self._guarded, self._tape = network, tape

    def as_they_lie(self) -> GuardedNetwork:
        return _TapedNetwork(self._guarded.as_they_lie(), self._tape)

    def load(self, weights: Weights) -> None:
        self._tape.call("load", weights, lambda: self._guarded.load(weights))

    def weights(self) -> Weights:
        return self._tape.call("weights", None, self._guarded.weights)

    def run(self, inputs: Inputs, **given: Any) -> Output:
        return self._tape.call("run", (inputs, given), lambda: self._guarded.run(inputs, **given))

    def gradients(self, inputs: Inputs, cotangent: Output, **given: Any) -> Gradients:
        return self._tape.call(
            "gradients", (inputs, cotangent, given), lambda: self._guarded.gradients(inputs, cotangent, **given)
        )

    def ask(self, method: str, *arguments: Any) -> Any:
        return self._tape.call(method, arguments, lambda: self._guarded.ask(method, *arguments))


def _kind(error: Exception) -> str:
    """The type of what the framework raised; its message may hold addresses, which differ from run to run."""
    cause = error.__cause__
    return type(cause).__name__ if cause is not None else type(error).__name__


def _feed(digest: Any, value: Any, known: Mapping[bytes, int] = MappingProxyType({})) -> None:
    """Add anything that goes into or comes out of a network to a digest; of arrays that are `known` their number."""
    if isinstance(value, np.ndarray):
        bits = _bits(value)
        digest.update(f"returned {known[bits]};".encode() if bits in known else bits)
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(digest, [(field.name, getattr(value, field.name)) for field in fields(value)], known)
    elif isinstance(value, Mapping):
        _feed(digest, list(value.items()), known)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        digest.update(f"{len(value)}[".encode())
        for item in value:
            _feed(digest, item, known)
    else:
        digest.update(f"{value!r};".encode())


def _bits(array: np.ndarray) -> bytes:
    """A digest of the dtype, the shape and the bits of an array."""
    # NaN is NaN, whichever of its bit patterns the hardware happens to make.
    plain = np.where(np.isnan(array), np.nan, array).astype(array.dtype) if _has_nan(array) else array
    return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(plain).tobytes()).digest()


def _has_nan(array: np.ndarray) -> bool:
    return array.dtype.kind in "fV" and bool((array != array).any())


def _arrays(value: Any) -> Iterator[np.ndarray]:
    """Every array in what a network returned."""
    if isinstance(value, np.ndarray):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _arrays(getattr(value, field.name))
    elif isinstance(value, tuple | Mapping):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _arrays(item)
