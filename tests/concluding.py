"""The record of one check on one adapter, in this process: what many tests of the engine look at."""

from __future__ import annotations

from collections.abc import Sequence

from rnn_conformance.adapters.protocol import Adapter
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import checks, clauses_of
from rnn_conformance.conformance.engine.check import Check, Function
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.engine.verdicts import Keep, conclude
from rnn_conformance.conformance.witnesses.deviations import Deviation
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reports.records.records import CheckRecord


def concluded(
    adapter: Adapter,
    what: str | Function,
    *,
    dtype: str = "float32",
    profile: str = "smoke",
    clauses: Sequence[str] = (),
    known: Sequence[Deviation] = (),
    patience: float = 0.0,
    keep: Keep | None = None,
    cell: str = "simple_rnn",
) -> CheckRecord:
    """The record of a check, such as ``test_values.py::test_recurrence``, or of a function like one, of these clauses.

    No smaller failing case is looked for. `known` are the deviations that speak of it, `patience` is how long it goes
    on past its first failure, and `keep` is given what failed.
    """
    function = checks()[what] if isinstance(what, str) else what
    name = what if isinstance(what, str) else what.__name__
    subject = Subject(adapter)
    mode, how = subject.description.modes[0], PROFILES[profile]
    budget = how, 0, 1, Journal(None)
    check = Check(name, subject, dtype, mode, *budget, shrinks=False, patience=patience, cell=cell)
    clauses = clauses_of(function) if isinstance(what, str) else clauses
    return conclude(check, function, Item(name, "", clauses, dtype, mode), known, keep=keep)
