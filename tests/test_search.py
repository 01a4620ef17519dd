"""How cases are drawn: reproducible by seed, awkward sizes kept, failures shrunk to what a person can read."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnn_conformance.adapters.function import from_function
from rnn_conformance.adapters.protocol import Adapter
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import KINDS, Structure, lattice
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.cases.regimes import REGIMES
from rnn_conformance.conformance.checks.catalogue import checks
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.evidence import share_of
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.engine.verdicts import conclude
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.states import flat
from rnn_conformance.reports.records.records import CheckRecord

ACTIVATIONS = ("tanh", "relu", "linear", "sigmoid")
CELLS = [SimpleRnn(activation) for activation in ACTIVATIONS]


def structures(kind: str = "layer", seed: int = 0, count: int = 8) -> list[Structure]:
    return lattice(kind, count, seed, CELLS, (True, False))


def check_of(adapter: Adapter, *, seed: int = 0, profile: str = "smoke", seeds: int = 1) -> Check:
    return Check("test_recurrence", Subject(adapter), "float32", "eager", PROFILES[profile], seed, seeds, Journal(None))


def record_of(check: Check) -> CheckRecord:
    item = Item("test_recurrence", "", ("1.1",), "float32", "eager")
    return conclude(check, checks()["test_values.py::test_recurrence"], item, None)


def cases_of(seed: int) -> list[str]:
    """All cases that a check is shown with this seed."""
    check, seen = check_of(from_function(network.run), seed=seed), []

    def look(case: Case) -> bool:
        seen.append(str(case))
        return True

    check.for_all("layer", look)
    return seen


def test_same_seed_same_cases() -> None:
    """A run can be repeated, on this machine or another."""
    assert cases_of(3) == cases_of(3)
    assert cases_of(3) != cases_of(4)


@pytest.mark.slow
def test_cases_do_not_depend_on_where_packages_are(tmp_path: Path) -> None:
    """Hypothesis draws numbers that stand in code outside of site-packages, such as a framework in editable form."""
    (tmp_path / "framework.py").write_text(f"NUMBERS = {list(range(70_000, 71_000))}\n", encoding="utf-8")
    script = "from test_search import cases_of; print(*map(cases_of, range(20)), sep='\\n')"
    path = f"{Path(__file__).parent}{os.pathsep}{tmp_path}"

    def drawn(script: str) -> str:
        environment = {**os.environ, "PYTHONPATH": path}
        return subprocess.run([sys.executable, "-c", script], env=environment, check=True, text=True, stdout=-1).stdout

    assert drawn(script) == drawn(f"import framework; {script}") != ""


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_change_with_the_seed(kind: str) -> None:
    """Another seed means other sizes, but always as many structures, the smallest first."""
    drawn = [structures(kind, seed) for seed in range(4)]
    assert len({tuple(map(str, each)) for each in drawn}) == 4
    for each in drawn:
        assert len(each) == 8
        assert [s.size for s in each] == sorted(s.size for s in each)


@pytest.mark.parametrize("seed", range(10))
def test_awkward_sizes_are_always_there(seed: int) -> None:
    """One unit, one timestep, a batch of one, long sequences, and sizes around 8 and 32, whatever the seed."""
    drawn = structures(seed=seed)
    units = {s.layers[0].units for s in drawn}
    assert 1 in units
    assert units & {7, 8, 9, 31, 32, 33}
    assert units & {31, 32, 33}
    assert {s.timesteps for s in drawn} & {32, 33, 65}
    assert 1 in {s.timesteps for s in drawn}
    assert 1 in {s.batch for s in drawn}
    assert {s.layers[0].cell.activation for s in drawn} == set(ACTIVATIONS)
    assert {s.layers[0].use_bias for s in drawn} == {True, False}


def test_stacks_of_equal_and_of_different_widths() -> None:
    """Native stacks and composed ones are both there, of two and of three layers."""
    drawn = structures("stack")
    assert {len(s.layers) for s in drawn} == {2, 3}
    assert {len({layer.units for layer in s.layers}) > 1 for s in drawn} == {True, False}


def test_the_model_that_everybody_starts_from() -> None:
    """Embedding(10000, 32) and a layer of 32 units is among the default profile's structures."""
    drawn = structures("embedding", count=PROFILES["default"].structures)
    assert any(s.embedding == Embedding(10000, 32) and s.layers[0].units == 32 for s in drawn)


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_of_a_regime(regime: str, dtype: str) -> None:
    """All arrays have the dtype and shape of the model, are finite, and follow from the seed alone."""
    architecture = Architecture((Layer(5, 7), Layer(7, 2, use_bias=False)), dtype=dtype)
    case = Case(architecture, 3, 4, regime, 11)
    assert case.inputs.shape == (3, 4, 5)
    assert [h.shape for h in flat(case.initial_state)] == [(3, 7), (3, 2)]
    assert [(name, array.shape) for name, array in case.weights.arrays()] == [
        ("layers[0].W", (7, 5)),
        ("layers[0].U", (7, 7)),
        ("layers[0].b", (7,)),
        ("layers[1].W", (2, 7)),
        ("layers[1].U", (2, 2)),
    ]
    again = Case(architecture, 3, 4, regime, 11)
    for (_, array), (_, same) in zip(case.weights.arrays(), again.weights.arrays(), strict=True):
        assert array.dtype == dtype
        assert np.isfinite(array).all()
        np.testing.assert_array_equal(array, same)


@pytest.mark.parametrize("mask_zero", [False, True])
def test_tokens_come_again_and_stay_away(mask_zero: bool) -> None:
    """In a large table, where chance alone would hardly take one twice, and in a long batch, that could have all."""
    for table, timesteps in ((Embedding(10000, 2), 3), (Embedding(5, 2), 65)):
        architecture = Architecture((Layer(2, 3),), replace(table, mask_zero=mask_zero))
        drawn = [Case(architecture, 2, timesteps, "unit", seed).inputs for seed in range(50)]
        told = [len(np.unique(tokens)) < min(tokens.size, table.tokens - mask_zero) for tokens in drawn]
        assert sum(told) > 25
        assert {tokens.dtype.name for tokens in drawn} == {"int32"}
        everything = np.unique(np.concatenate(drawn, axis=None))
        assert mask_zero <= everything[0] <= everything[-1] < table.tokens
        assert len(everything) == table.tokens - mask_zero or table.tokens > everything.size > 50


def test_failure_is_shrunk() -> None:
    """Whatever is wrong everywhere is shown in the smallest structure, in small whole numbers, of seed 0 or near it."""
    record = record_of(check_of(catalogue()["bias-twice"].adapter(), profile="default"))
    assert record.verdict == "fails"
    assert "regime integers, seed " in record.case
    assert int(record.case.rpartition("seed ")[2]) < 10
    numbers = np.concatenate([np.ravel(record.witness[name]) for name in ("inputs", "layers[0].W", "layers[0].b")])
    assert (numbers == numbers.round()).all()
    assert numbers.size < 30


@pytest.mark.slow
def test_unreliable_subject_fails_and_does_not_confuse_the_search() -> None:
    """A subject that is wrong once in a while is caught, though the same case may be right the next time."""
    record = record_of(check_of(catalogue()["each-fiftieth-call-wrong"].adapter(), profile="default"))
    assert record.verdict == "fails"
    assert record.case


def test_soak_goes_on_to_other_seeds() -> None:
    """A soak sees a round of examples for each seed, and keeps its shapes for many of them."""
    check = check_of(from_function(network.run), profile="soak", seeds=3)
    record = record_of(check)
    assert record.verdict == "conforms"
    assert check.seed == 2
    assert check.shapes_seed == 0
    assert record.measured["seeds"] == 3
    assert record.examples > 2 * PROFILES["soak"].examples


def test_cases_that_cannot_discriminate_are_not_trusted() -> None:
    """A pass proves nothing where a wrong layer would have passed as well: here every sequence has one timestep."""
    check = check_of(from_function(network.run))
    item = Item("one timestep", "", ("1.1",), "float32", "eager")

    def function(check: Check) -> None:
        def examine(case: Case) -> bool:
            short = replace(case, timesteps=1)
            return check.judge(short, check.run(short))

        check.for_all("layer", examine)

    record = conclude(check, function, item, None)
    assert record.examples > 0
    assert (record.verdict, record.discriminating) == ("untrusted", 0)
    assert "could have told a wrong layer from a right one" in record.message


def test_error_of_the_suite_is_not_blamed_on_the_framework() -> None:
    """An exception that comes from a check itself is broken, not fails."""

    def function(check: Check) -> None:
        check.for_all("layer", lambda case: 1 / 0 > 0)

    record = conclude(check_of(from_function(network.run)), function, Item("x", "", (), "float32", "eager"), None)
    assert record.verdict == "broken"
    assert "ZeroDivisionError" in record.message


@pytest.mark.parametrize(
    ("ratio", "share"),
    [
        *((0.0, "exact"), (1.0, "-1"), (0.5, "-2"), (0.51, "-1"), (1.01, "0"), (2.0, "0"), (3.0, "1")),
        *((1e-300, "-20"), (1e300, "20"), (float("inf"), "20"), (float("nan"), "20")),
    ],
)
def test_share_of_a_bound(ratio: float, share: str) -> None:
    """Errors are counted by powers of two of their bound; one of exactly the bound is within it."""
    assert share_of(ratio) == share
