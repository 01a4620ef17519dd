"""The frozen witnesses of known deviations: each is still the example of its check that its entry is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rnn_conformance.conformance.checks.catalogue import every_check
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.examining import Examiner
from rnn_conformance.conformance.engine.pinning import pinned
from rnn_conformance.conformance.running.session import Session
from rnn_conformance.conformance.witnesses.deviations import Deviation, Facts, known_deviations

OF_REFUSALS = [entry for entry in known_deviations() if "wrong" in entry.cases and entry.witness.case]


@pytest.mark.parametrize("entry", OF_REFUSALS, ids=lambda entry: entry.name)
def test_witness_is_an_example_of_its_entry(entry: Deviation, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with an example is told by the number of its search, which moves when a check gets another.

    Searches have the same numbers on every adapter, so that NumPy's shows it.
    """
    seen: list[Facts] = []

    def judged(examiner: Examiner, examine: Callable[[], Any], facts: Callable[[], Facts]) -> None:
        seen.append(facts())

    monkeypatch.setattr(Examiner, "judged", judged)
    witness = entry.witness
    run = Session("numpy", "default", 0, 1, None, witness)
    check = Check(witness.check, run.subject, witness.dtype, "eager", run.profile, 0, 1, run.journal, cell=witness.cell)
    every_check()[witness.check](pinned(check, witness))
    assert witness.case is not None
    mode = witness.case.architecture.mode
    assert [entry.covers({**facts, "mode": {mode}}) for facts in seen] == [True]
