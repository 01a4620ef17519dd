"""Every clause has a fault that its check notices: a check that cannot fail would say nothing."""

from __future__ import annotations

from functools import cache

import pytest

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import from_function
from rnn_conformance.adapters.numpy.adapter import adapter as numpy_adapter
from rnn_conformance.adapters.protocol import Adapter
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import cells_of, checks, clauses_of, dtypes_of, is_about
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.engine.verdicts import conclude
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.cells import adapter_of, cell_of
from rnn_conformance.conformance.running.results import saved
from rnn_conformance.conformance.selftest.trials import check_of, failure_of
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.records.records import CheckRecord


def judge(adapter: Adapter, name: str, dtype: str = "float32", profile: str = "smoke") -> CheckRecord:
    """The record of one check."""
    cell = cells_of(checks()[name])[0]
    check = Check(name, Subject(adapter), dtype, "eager", PROFILES[profile], 0, 1, Journal(None), cell=cell)
    check.shrinks = False
    return conclude(check, checks()[name], Item(name, "", clauses_of(checks()[name]), dtype, "eager"))


@cache
def kills() -> dict[str, set[str]]:
    """The checks that have noticed each mutant, as measured: where to look first."""
    return {row["mutant"]: set(row["kills"]) for row in saved("detection")["mutants"]}


@cache
def noticed(name: str, clause: str) -> bool:
    """Whether a check fails for a mutant that breaks this clause: with few examples, or else with more."""
    function = checks()[name]
    return any(
        isinstance(
            failure_of(check_of(name, Subject(adapter_of(fault)), dtype, profile, 0, cell_of(fault)), function),
            NonConforming,
        )
        for profile in ("smoke", "default")
        for fault in sorted(catalogue().values(), key=lambda fault: name not in kills().get(fault.name, ()))
        if clause in fault.breaks and is_about(function, cell_of(fault))
        for dtype in dtypes_of(function, PROFILES["default"])
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", checks())
def test_check_notices_faults(name: str) -> None:
    """Each check fails for a mutant that breaks a clause which it cites."""
    assert any(noticed(name, clause) for clause in clauses_of(checks()[name]))


@pytest.mark.slow
@pytest.mark.parametrize("clause", specification().clauses)
def test_breaking_a_clause_is_noticed(clause: str) -> None:
    """Each clause has a check that cites it and fails for a mutant that breaks it."""
    assert any(noticed(name, clause) for name, function in checks().items() if clause in clauses_of(function))


@pytest.mark.slow
@pytest.mark.parametrize("name", checks())
def test_reference_conforms(name: str) -> None:
    """No check raises a false alarm on the reference, and each has cases that could have failed."""
    dtype = dtypes_of(checks()[name], PROFILES["default"])[0]
    record = judge(numpy_adapter, name, dtype)
    assert (record.verdict, record.message) == ("conforms", "")
    assert record.discriminating >= record.examples / 3


def test_every_clause_has_a_check_and_every_check_its_clause() -> None:
    """Clauses and checks cite one another, in both directions."""
    cited = {clause for function in checks().values() for clause in clauses_of(function)}
    assert cited == set(specification().clauses)


def test_layer_without_stacks_is_still_checked() -> None:
    """What an adapter lacks is left out of a check, not the check itself."""
    lacks = {"stack": "one layer at a time", "embedding": "none"}
    adapter = from_function(network.run, Description("one layer", {}, unsupported=lacks))
    for name in ("test_shapes.py::test_outputs", "test_state.py::test_final_state", "test_weights.py::test_round_trip"):
        assert judge(adapter, name).verdict == "conforms"
    record = judge(adapter, "test_stacks.py::test_stack")
    assert (record.verdict, record.message) == ("unsupported", "one layer at a time")
