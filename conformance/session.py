"""One adapter's run within one process: its subject, its budget, and its results file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.check import Check
from rnn_conformance.conformance.deviations import Deviation, known_deviations
from rnn_conformance.conformance.journal import Item, Journal
from rnn_conformance.conformance.judging import check_shape
from rnn_conformance.conformance.profiles import PROFILES
from rnn_conformance.conformance.results import finish, header, journal_path
from rnn_conformance.conformance.subject import Subject
from rnn_conformance.reference.architecture import Architecture, Layer, LayerWeights, Weights
from rnn_conformance.reports import records

DTYPES = ("float32", "float64")


class Session:
    """Everything that the checks of one run share.

    Raises whatever the adapter raises where it does not work at all: when it is loaded, asked to describe itself, or
    given the smallest model there is. That tells a broken adapter from a framework that does not conform.
    """

    def __init__(self, adapter: str, profile: str, seed: int, minutes: float, results: Path | None) -> None:
        self.adapter = adapter
        self.profile = PROFILES[profile]
        self._seed = seed
        self._minutes = minutes
        self._results = results
        self._planned: Sequence[str] = ()
        self.journal = Journal(journal_path(results) if results else None)
        self.subject = Subject(registry.load(adapter))
        _probe(self.subject)
        self._deviations = known_deviations()

    def begin(self, planned: Sequence[str]) -> set[str]:
        """Write the header of the results file, or read what it has. Returns the checks that remain to be done."""
        self._planned = planned
        if self._results is None:
            return set(planned)
        if self._results.exists():
            return set(records.read(self._results).missing)
        records.append(
            self._results,
            header(self.adapter, self.profile.name, self._seed, planned, self.subject.description),
        )
        return set(planned)

    def check(self, name: str, dtype: str, mode: str) -> Check:
        """A check with its share of the time."""
        seconds = self._minutes * 60 / max(len(self._planned), 1)
        return Check(name, self.subject, dtype, mode, self.profile, self._seed, seconds, self.journal)

    def deviation(self, item: Item) -> Deviation | None:
        """The known deviation that speaks of this check, if there is one."""
        versions = self.subject.description.versions
        return next((d for d in self._deviations if d.applies(self.adapter, item, versions)), None)

    def add(self, record: records.CheckRecord) -> None:
        if self._results is not None:
            records.append(self._results, record)

    def finish(self) -> None:
        """Close the results file, if nothing that was planned is missing."""
        if self._results is not None:
            finish(self._results)


def _probe(subject: Subject) -> None:
    """Run one unit for one timestep: what cannot do that is no adapter."""
    dtype = next(iter(subject.description.precision))
    activation, mode = subject.description.activations[0], subject.description.modes[0]
    one = np.ones((1, 1), dtype)
    network = subject.network(Architecture((Layer(1, 1, activation),), dtype=dtype, mode=mode))
    network.load(Weights((LayerWeights(one, one, one[0]),)))
    check_shape("the outputs of the smallest model", network.run(one[np.newaxis]).outputs, (1, 1, 1))
