"""Every clause has a fault that its check notices: a check that cannot fail would say nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache

import faulty
import pytest

from rnn_conformance.adapters.function import FunctionAdapter, from_function
from rnn_conformance.adapters.protocol import Description
from rnn_conformance.conformance.check import Check
from rnn_conformance.conformance.journal import Item, Journal
from rnn_conformance.conformance.profiles import PROFILES
from rnn_conformance.conformance.subject import Subject
from rnn_conformance.conformance.verdicts import conclude
from rnn_conformance.reference import network
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.records import CheckRecord

CHAPTERS = ("values", "shapes", "state", "stacks", "embedding", "weights", "activations", "calls")

NOTICED = [
    ("1.1", "test_recurrence", faulty.transposed_recurrent_kernel),
    ("1.1", "test_recurrence", faulty.half_precision_products),
    ("1.1", "test_recurrence", faulty.bias_twice),
    ("1.2", "test_no_bias", faulty.bias_of_its_own),
    ("1.3", "test_recurrence", faulty.reversed_outputs),
    ("1.4", "test_last_output", faulty.first_output_for_last),
    ("1.5", "test_rows_are_independent", faulty.leaks_between_rows),
    ("1.6", "test_the_past_does_not_depend_on_the_future", faulty.sees_the_future),
    ("1.7", "test_permuting_units", faulty.first_unit_is_special),
    ("1.8", "test_exact_arithmetic", faulty.first_unit_is_special),
    ("1.9", "test_shift_register", faulty.leaky_saturation),
    ("1.10", "test_single_sequence", faulty.keeps_the_batch_axis),
    ("2.1", "test_outputs", faulty.time_first),
    ("2.2", "test_outputs", faulty.last_output_with_a_time_axis),
    ("2.3", "test_single_sequence", faulty.keeps_the_batch_axis),
    ("2.4", "test_outputs", faulty.always_double),
    ("2.5", "test_final_states", faulty.state_of_the_last_layer_only),
    ("2.6", "test_symbolic_shapes", faulty.FixedBatch),
    ("3.1", "test_recurrence", faulty.starts_from_ones),
    ("3.2", "test_initial_state", faulty.ignores_initial_state),
    ("3.3", "test_final_state", faulty.state_before_the_last_step),
    ("3.4", "test_splitting_a_sequence", faulty.ignores_initial_state),
    ("3.5", "test_each_call_starts_anew", faulty.Stateful),
    ("4.1", "test_stack", faulty.forgets_the_stack),
    ("4.2", "test_stack", faulty.forgets_the_stack),
    ("4.3", "test_stacking_is_composing", faulty.forgets_the_stack),
    ("5.1", "test_lookup", faulty.next_token),
    ("5.2", "test_model_with_embedding", faulty.next_token),
    ("6.1", "test_round_trip", faulty.RoundedWeights),
    ("6.2", "test_loading_again", faulty.StaleWeights),
    ("6.3", "test_parameter_count", faulty.OneBiasTooMany),
    ("7.1", "test_standard_accuracy", faulty.rough_tanh),
    ("7.2", "test_declared_accuracy", faulty.rough_tanh),
    ("7.3", "test_range", faulty.tanh_beyond_one),
    ("7.4", "test_exact_activations", faulty.leaky_relu),
    ("8.1", "test_same_call_twice", faulty.flips_a_coin),
    ("8.2", "test_arguments_are_left_alone", faulty.writes_to_its_inputs),
    ("8.3", "test_outputs_are_not_overwritten", faulty.OneBuffer),
]
"""Clause, the check that is about it, and a fault that it must notice."""


@cache
def checks() -> dict[str, Callable[[Check], None]]:
    """Every check of the suite by name."""
    modules = [importlib.import_module(f"rnn_conformance.conformance.test_{chapter}") for chapter in CHAPTERS]
    return {name: value for module in modules for name, value in vars(module).items() if name.startswith("test_")}


def clauses_of(function: Callable[[Check], None]) -> tuple[str, ...]:
    (mark,) = (mark for mark in function.pytestmark if mark.name == "clause")  # type: ignore[attr-defined]
    return mark.args  # type: ignore[no-any-return]


def judge(adapter: FunctionAdapter, name: str) -> CheckRecord:
    """The record of one check, in float32 with the profile smoke."""
    check = Check(name, Subject(adapter), "float32", "eager", PROFILES["smoke"], 0, 0.0, Journal(None))
    return conclude(check, checks()[name], Item(name, "", clauses_of(checks()[name]), "float32", "eager"), None)


@pytest.mark.parametrize(("clause", "name", "fault"), NOTICED, ids=lambda value: getattr(value, "__name__", str(value)))
def test_fault_is_noticed(clause: str, name: str, fault: object) -> None:
    """The check of the clause fails, and the record explains."""
    record = judge(faulty.adapter_of(fault), name)
    assert record.verdict == "fails", record
    assert clause in record.clauses
    assert "should" in record.message


@pytest.mark.parametrize("name", sorted(checks()))
def test_reference_conforms(name: str) -> None:
    """No check raises a false alarm on the reference, and each has cases that could have failed."""
    record = judge(from_function(network.run), name)
    assert (record.verdict, record.message) == ("conforms", "")
    assert record.discriminating > record.examples / 2


def test_every_clause_has_a_check_and_every_check_its_clause() -> None:
    """Clauses and checks cite one another, in both directions."""
    cited = {clause for function in checks().values() for clause in clauses_of(function)}
    assert cited == set(specification().clauses)


def test_every_clause_has_a_fault() -> None:
    """No clause is left whose check has never been seen to fail."""
    assert {clause for clause, _, _ in NOTICED} == set(specification().clauses)
    assert {name for _, name, _ in NOTICED} == set(checks())


def test_layer_without_stacks_is_still_checked() -> None:
    """What an adapter lacks is left out of a check, not the check itself."""
    lacks = {"stack": "one layer at a time", "embedding": "none"}
    adapter = from_function(network.run, Description("one layer", {}, unsupported=lacks))
    for name in ("test_outputs", "test_final_state", "test_round_trip"):
        assert judge(adapter, name).verdict == "conforms"
    record = judge(adapter, "test_stack")
    assert (record.verdict, record.message) == ("unsupported", "one layer at a time")
