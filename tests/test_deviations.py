"""Known deviations: told from failures, and found out when they no longer occur."""

from __future__ import annotations

from dataclasses import replace

import faulty
import pytest
from test_detection import checks, clauses_of

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.function import FunctionAdapter, from_function
from rnn_conformance.conformance.check import Check
from rnn_conformance.conformance.deviations import Deviation, known_deviations, parse
from rnn_conformance.conformance.journal import Item, Journal
from rnn_conformance.conformance.profiles import PROFILES
from rnn_conformance.conformance.subject import Subject
from rnn_conformance.conformance.verdicts import conclude
from rnn_conformance.reference import network
from rnn_conformance.reports.records import CheckRecord

COUNTS_TWO_BIASES = Deviation(
    name="two-biases",
    adapters=["faulty"],
    checks=["test_parameter_count"],
    versions={"framework": ">=2,<3"},
    reason="the framework has a bias for the input and one for the state",
    case="a layer of 1 unit and 1 feature has 4 parameters, not 3",
)
ITEM = Item("test_weights.py::test_parameter_count[float32-eager]", "", ("6.3",), "float32", "eager")

ENTRY = """
[two-biases]
adapters = ["faulty"]
checks = ["test_parameter_count"]
versions = { framework = ">=2" }
reason = "it has two"
case = "one unit"
"""


def record(adapter: FunctionAdapter, deviation: Deviation | None) -> CheckRecord:
    check = Check(ITEM.check, Subject(adapter), "float32", "eager", PROFILES["smoke"], 0, 0.0, Journal(None))
    return conclude(check, checks()["test_parameter_count"], ITEM, deviation)


def test_failure_that_is_known() -> None:
    """It has a verdict of its own, with the reason and what was seen."""
    found = record(faulty.adapter_of(faulty.OneBiasTooMany), COUNTS_TWO_BIASES)
    assert (found.verdict, found.deviation) == ("deviation", "two-biases")
    assert COUNTS_TWO_BIASES.reason in found.reason
    assert "parameter_count = 21, but should be 18" in found.message


def test_deviation_that_no_longer_occurs() -> None:
    """It fails until its entry is removed."""
    found = record(from_function(network.run), COUNTS_TWO_BIASES)
    assert found.verdict == "fails"
    assert "two-biases" in found.message
    assert "no longer occurs" in found.message


@pytest.mark.parametrize(
    ("adapter", "item", "version", "applies"),
    [
        ("faulty", ITEM, "2.4", True),
        ("faulty", ITEM, "2.5rc1", True),
        ("other", ITEM, "2.4", False),
        ("faulty", ITEM, "3.0", False),
        ("faulty", replace(ITEM, check="test_weights.py::test_round_trip[float32-eager]"), "2.4", False),
        ("faulty", replace(ITEM, dtype="float64"), "2.4", False),
    ],
)
def test_what_an_entry_speaks_of(adapter: str, item: Item, version: str, applies: bool) -> None:
    """Adapter, check, dtype and versions must all be those of the entry."""
    entry = replace(COUNTS_TWO_BIASES, dtypes=("float32",))
    assert entry.applies(adapter, item, {"framework": version}) == applies


def test_package_that_is_not_there() -> None:
    """An entry about a package does not apply where the adapter does not name that package."""
    assert not COUNTS_TWO_BIASES.applies("faulty", ITEM, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY + 'clause = "6.3"', "there is no field clause; the fields are adapters, checks"),
        (ENTRY.replace('reason = "it has two"', ""), "two-biases: reason should be given"),
        (ENTRY.replace(">=2", "newer than 2"), "'newer than 2' is no version specifier for framework"),
    ],
)
def test_damaged_entry(text: str, message: str) -> None:
    """The error names the entry and what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize("entry", known_deviations(), ids=lambda entry: entry.name)
def test_entries_speak_of_what_there_is(entry: Deviation) -> None:
    """Every adapter and every check that an entry names exists."""
    assert set(entry.adapters) <= set(registry.registered())
    assert set(entry.checks) <= set(checks())
    assert all(clauses_of(checks()[name]) for name in entry.checks)
