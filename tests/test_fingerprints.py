"""Fingerprints: what comes out of frozen examples, to the bit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.numpy.adapter import adapter
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import cells_of, checks, clauses_of, dtypes_of
from rnn_conformance.conformance.engine.fingerprints import Tape, fingerprints
from rnn_conformance.conformance.engine.subject import Subject, guard
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.running.session import Session
from rnn_conformance.conformance.selftest.trials import check_of
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.weights import LayerWeights, Weights
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.records import records
from rnn_conformance.reports.records.records import Fingerprint

RECURRENCE = "test_values.py::test_recurrence"


def taken(name: str = RECURRENCE, mutant: str = "", profile: str = "smoke", seed: int = 0) -> list[Fingerprint]:
    """The fingerprints of one check of the NumPy adapter, or of a planted fault."""
    subject = Subject(catalogue()[mutant].adapter() if mutant else adapter)
    dtype = [*dtypes_of(checks()[name], PROFILES["default"]), *dtypes_of(checks()[name], PROFILES["smoke"])][-1]
    cell = cells_of(checks()[name])[0]
    return fingerprints(check_of(f"{name}[{dtype}]", subject, dtype, profile, seed, cell=cell), checks()[name])


def test_the_same_layer_has_the_same_fingerprints() -> None:
    """They depend on the layer alone: not on the run, its profile or its seed."""
    first = taken()
    assert first
    assert first == taken() == taken(profile="default", seed=7)


def test_another_layer_is_told_by_its_bits() -> None:
    """What goes in is the same for all layers; what comes out is not, and its numbers are there to compare."""
    for right, wrong in zip(taken(), taken(mutant="recurrent-kernel-transposed"), strict=True):
        assert (right.example, right.given) == (wrong.example, wrong.given)
        assert right.got != wrong.got
    small = taken()[0]
    assert len(small.values) == 2 * 4 * 3 + 2 * 3  # outputs and final state of batch 2, timesteps 4, units 3


@dataclass(frozen=True)
class WithoutSimpleRnn:
    """The reference, with a GRU and no other cell."""

    def describe(self) -> Description:
        return replace(adapter.describe(), cells=("gru",), variants=(), examples={})

    def prepare(self, architecture: Architecture) -> Any:
        return adapter.prepare(architecture)


def test_a_cell_that_a_subject_lacks_has_none(tmp_path: Path) -> None:
    """A check may take the first of its cells, which are none: its record stays as it is."""
    name = "test_values.py::test_error_over_time"
    check = check_of(f"{name}[float32]", Subject(WithoutSimpleRnn()), "float32", "smoke", 0, cell="simple_rnn")
    record = records.CheckRecord(name, "", ["1.1"], "unsupported", 0.0)
    run = Session("numpy", "smoke", 0, 1, tmp_path / "results.jsonl", None)
    assert run.with_fingerprints(record, check, checks()[name]) is record


@pytest.mark.slow
def test_every_clause_has_frozen_examples() -> None:
    """A change of bits shows whichever clause it is about: what is not run is never a fingerprint."""
    covered = {clause for name, function in checks().items() if taken(name) for clause in clauses_of(function)}
    assert covered >= set(specification().clauses)


def test_an_exception_is_part_of_a_fingerprint() -> None:
    """Its type is kept, but not its message, which may hold an address that differs from run to run."""
    tape = Tape()

    def fails() -> Output:
        with guard("run"):
            raise TypeError(f"no kernel for {object()}")

    tape.example("a case", lambda: tape.call("run", None, fails))
    (found,) = tape.fingerprints
    assert (found.got, found.values) == ("raised in run: TypeError", [])


@pytest.mark.parametrize(
    "other",
    [np.array([1.0, 2.0], np.float32), np.array([[1.0, 2.0]]), np.array([1.0, -2.0]), (np.array([1.0, 2.0]),), None],
)
def test_digests_tell_arrays_apart(other: Any) -> None:
    """By dtype, by shape, by every bit, and by where they stand."""
    assert got(np.array([1.0, 2.0])) != got(other)


def test_what_was_returned_before_is_no_other_input() -> None:
    """A state that is carried over differs where the outputs do: the example is the same, and so comparable."""

    def carried_over(state: float) -> Fingerprint:
        tape = Tape()

        def examine() -> None:
            state_after_first = tape.call("run", (np.ones(2), {}), lambda: np.array([state]))
            tape.call("run", (np.ones(2), {"initial_state": state_after_first}), lambda: np.array([1 - state]))

        tape.example("a case", examine)
        return tape.fingerprints[0]

    one, other = carried_over(0.25), carried_over(0.125)
    assert one.given == other.given
    assert one.got != other.got


def test_gradients_of_weights_are_kept_and_known() -> None:
    """Every array that a call returned counts, also those that are told by name."""
    tape = Tape()
    found = Gradients(Weights((LayerWeights({"W": np.full((1, 1), 3.0), "U": np.full((1, 1), 4.0)}),)), None, None)

    def examine() -> None:
        gradients = tape.call("gradients", None, lambda: found)
        tape.call("load", gradients.weights, lambda: None)

    tape.example("a case", examine)
    assert tape.fingerprints[0].values == [3.0, 4.0]


def test_nan_is_nan() -> None:
    """Hardware makes NaN in several bit patterns, which are no difference; a zero of the other sign is one."""
    quiet, other = np.array([0x7FC00000, 0xFFC00001], np.uint32).view(np.float32)
    assert got(np.array([quiet])) == got(np.array([other]))
    assert got(np.array([0.0])) != got(np.array([-0.0]))


def test_an_example_that_does_not_conform_is_no_obstacle() -> None:
    """Whether numbers are right is not asked here, and the examples after a wrong one are run, too."""
    tape = Tape()

    def examine() -> None:
        tape.call("run", None, lambda: np.ones(3))
        raise NonConforming("outputs[0] = 1, but should be 2")

    for name in ("first", "second"):
        tape.example(name, examine)
    first, second = tape.fingerprints
    assert first == replace(second, example="first")


def got(value: Any) -> str:
    """The digest of what came out of a call."""
    tape = Tape()
    tape.example("a case", lambda: tape.call("run", None, lambda: value))
    return tape.fingerprints[0].got
