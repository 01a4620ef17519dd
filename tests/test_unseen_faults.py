"""The diagnosis gives faults that it does not know no wrong name: as measured over all of them, and again for a few."""

from __future__ import annotations

import json

import pytest
from unseen import KIN, SAVED, digest, is_wrong, measure
from unseen_faults import FAULTS

from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.families import told_of
from rnn_conformance.conformance.running.results import saved

AGAIN = "measure them anew: python tests/unseen.py"
MOST = 0.02
"""So large a share of names may be wrong."""


@pytest.mark.slow
def test_what_is_saved_is_of_these_faults_and_this_catalogue() -> None:
    """There are more than fifty, and for each of them it is said which names would be right."""
    found = json.loads(SAVED.read_text(encoding="utf-8"))
    assert [row["fault"] for row in found["faults"]] == list(FAULTS), AGAIN
    assert found["catalogue"] == digest(), AGAIN
    assert len(found["faults"]) >= 50
    assert set(KIN) <= set(FAULTS)
    assert {name for kin in KIN.values() for name in kin.split()} <= set(catalogue())


def test_few_names_are_wrong() -> None:
    """Of faults that it does not know, and of mutants of which each is left out in turn."""
    rows = json.loads(SAVED.read_text(encoding="utf-8"))["faults"]
    wrong = [row for row in rows if is_wrong(row)]
    left_out = saved("diagnosis")
    assert len(wrong) + left_out["astray"] <= MOST * (len(rows) + left_out["of"]), wrong
    assert len(wrong) <= MOST * len(rows), wrong


def test_many_have_a_name_all_the_same() -> None:
    """What names nothing is never wrong, and of no use."""
    rows = json.loads(SAVED.read_text(encoding="utf-8"))["faults"]
    assert sum(bool(told_of(row["alike"])) for row in rows) >= 0.3 * len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["StateKeptBelowOne", "TableScaled", "SymbolicBatchIsOne", "LeCunsTanh"])
def test_a_few_again(name: str) -> None:
    """What is saved is what comes out."""
    rows = {row["fault"]: row for row in json.loads(SAVED.read_text(encoding="utf-8"))["faults"]}
    assert measure(name) == rows[name]
