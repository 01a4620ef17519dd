"""The entries of known deviations, and their frozen witnesses: of checks, adapters and cases that there are."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rnn_conformance import conformance
from rnn_conformance.adapters import registry
from rnn_conformance.conformance.checks.catalogue import every_check
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.examining import Examiner
from rnn_conformance.conformance.engine.pinning import pinned
from rnn_conformance.conformance.running.session import Session
from rnn_conformance.conformance.witnesses.deviations import EXCEPT, Deviation, Facts, facts_of, known_deviations
from rnn_conformance.reference.spec import specification

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


@pytest.mark.parametrize("entry", known_deviations(), ids=lambda entry: entry.name)
def test_entries_speak_of_what_there_is(entry: Deviation) -> None:
    """Every adapter and every check that an entry names exists, and its witness is of one of both and of its cases."""
    functions = all_checks()
    assert set(entry.adapters) <= set(registry.registered())
    taken = [each for each in entry.checks if not each.startswith(EXCEPT)]
    for pattern in entry.checks:
        found = [name for name in functions if fnmatchcase(name, pattern.removeprefix(EXCEPT))]
        assert any(fnmatchcase(name, each) for name in found for each in taken), pattern
    witness = entry.witness
    file, function = witness.check.split("::")
    assert functions[function] == file
    assert entry.applies(witness.adapter, function, witness.versions) or entry.platforms or entry.without
    assert set(witness.clauses) <= set(specification().clauses)
    said = {word: value if isinstance(value, list) else [value] for word, value in entry.cases.items()}
    facts = facts_of(witness.case) if witness.case else {"dtype": [witness.dtype]}
    assert entry.covers({**said, **facts})


def test_no_witness_without_its_entry() -> None:
    """Each witness in conformance/known belongs to an entry."""
    folder = Path(conformance.__file__).parent / "known"
    assert {file.stem for file in folder.glob("*.json")} == {entry.name for entry in known_deviations()}


@cache
def all_checks() -> dict[str, str]:
    """The file of every check of the suite, by function."""
    found = {}
    for file in Path(conformance.__file__).parent.rglob("test_*.py"):
        module = importlib.import_module(f"rnn_conformance.conformance.{file.parent.name}.{file.stem}")
        found |= {name: file.name for name in vars(module) if name.startswith("test_")}
    return found
