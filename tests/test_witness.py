"""Witnesses: what is written is read back to the bit, damage is named, and a run leaves one for each failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Supervised

from rnn_conformance.adapters.function import from_function
from rnn_conformance.conformance.cases import regimes
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.witnesses.encoding import array_as_data, array_from_data, arrays_as_data, case_as_data
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Journal, read_journal, running_item
from rnn_conformance.conformance.witnesses.witness import (
    DamagedWitness,
    Witness,
    read_witness,
    witness_of,
    write_witness,
)
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer

ITEM = Item("test_values.py::test_recurrence[float32-eager]", "each step follows", ("1.1", "1.3"), "float32", "eager")

PLAIN = Case(Architecture((Layer(2, 3),)), 2, 4, "unit", 5)
BIDIRECTIONAL = Architecture(
    (Layer(2, 3, direction="bidirectional"), Layer(6, 2, use_bias=False)), return_state=True, masking="mask"
)
CASES = [
    PLAIN,
    Case(BIDIRECTIONAL, 3, 4, "unit", 1, "gaps"),
    Case(Architecture((Layer(3, 2),), Embedding(5, 3), return_sequences=False), 2, 4, "sparse", 2),
    Case(Architecture((Layer(2, 2),), dtype="float64", batched=False), 1, 3, "saturating", 3),
    Case(Architecture((Layer(2, 2),), dtype="float16", weights_dtype="float32"), 2, 3, "unit", 4),
    Case(Architecture((Layer(2, 2, SimpleRnn("relu")),), dtype="bfloat16"), 2, 3, "expanding", 5),
]


def witness(case: Case | None = PLAIN, **details: Any) -> Witness:
    """A witness of a failure in this case."""
    return witness_of(
        ITEM,
        adapter="package.module:adapter",
        versions={"framework": "1.0"},
        profile="smoke",
        seed=7,
        search=1,
        verdict="fails",
        message="outputs[0] = 1, but should be 2",
        case=case,
        details=details,
    )


def bits(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    return str(array.dtype), array.shape, array.tobytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_was_written_is_read(tmp_path: Path, case: Case) -> None:
    """The case and each of its arrays come back as they were, to the last bit."""
    back = read_witness(write_witness(witness(case), tmp_path))
    assert back == witness(case)
    assert back.case is not None
    assert arrays_as_data(back.case) == arrays_as_data(case)
    assert bits(back.case.inputs) == bits(case.inputs)
    for (_, found), (_, wanted) in zip(back.case.weights.arrays(), case.weights.arrays(), strict=True):
        assert bits(found) == bits(wanted)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_number_survives(dtype: str) -> None:
    """NaN, infinities, both zeros, the smallest, the largest and any other number, in the shape that they had."""
    rng = np.random.default_rng(0)
    kind = dtype_of(dtype)
    any_bits = rng.integers(0, 256, 3000 * kind.itemsize, np.uint8).view(kind)
    with np.errstate(invalid="ignore"):
        any_bits[np.isnan(any_bits)] = np.nan
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 0.1], kind)
    array = np.concatenate([special, any_bits]).reshape(2, -1)
    text = json.dumps(array_as_data(array), allow_nan=False)
    assert bits(array_from_data("x", json.loads(text))) == bits(array)


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (np.array([0.1, 1 / 3], np.float32), [0.1, 0.33333334]),
        (np.array([0.1], np.float64), [0.1]),
        (np.array([[np.nan, -np.inf]], np.float32), [["nan", "-inf"]]),
        (np.array([[True], [False]]), [[True], [False]]),
        (np.array([3, 0], np.int32), [3, 0]),
    ],
)
def test_numbers_are_as_short_as_can_be(array: np.ndarray, values: Any) -> None:
    """A person reads 0.1, not the float64 that is nearest to the float32 that is nearest to it."""
    assert array_as_data(array) == {"dtype": str(array.dtype), "shape": list(array.shape), "values": values}


def test_arrays_are_those_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers do not change with the way they are drawn, nor in another return mode of the same case."""
    path = write_witness(witness(), tmp_path)
    before = PLAIN.inputs.copy()
    monkeypatch.setitem(regimes.REGIMES, "unit", regimes.Regime(W=9.0, U=9.0, b=9.0, x=9.0))
    case = read_witness(path).case
    assert case is not None
    assert (Case(PLAIN.architecture, 2, 4, "unit", 5).inputs != before).any()
    assert (case.inputs == before).all()
    assert (case.returning(sequences=False).inputs == before).all()
    assert (replace(case, pattern="full").inputs == before).all()
    assert (replace(case, architecture=replace(case.architecture, mode="unrolled")).inputs == before).all()


def test_other_numbers_are_drawn() -> None:
    """Arrays that a case holds stand in for its own seed only, and where they fit: what does not is drawn."""
    held = PLAIN.with_arrays(next_numbers := PLAIN.next().arrays)
    assert held == PLAIN
    for other in (held.next(), replace(held, regime="small"), replace(held, seed=9)):
        drawn = Case(other.architecture, other.batch, other.timesteps, other.regime, other.seed)
        assert (other.inputs == drawn.inputs).all()
    longer = replace(held, timesteps=5)
    assert longer.inputs.shape == (2, 5, 2)
    assert longer.weights.layers[0].U is not next_numbers.weights.layers[0].U
    assert (longer.weights.layers[0].U == next_numbers.weights.layers[0].U).all()
    assert str(held) == str(PLAIN)
    assert case_as_data(held) == case_as_data(PLAIN)


def test_witness_is_replayed_with_the_numbers_that_it_holds() -> None:
    """Also by a check that asks for the same case without its mask: that is judged with these numbers, no others."""
    case = Case(replace(PLAIN.architecture, masking="mask"), 2, 4, "unit", 5, "full")
    held = case.with_arrays(replace(case.arrays, inputs=case.inputs + 1))
    subject = Subject(from_function(network.run))
    check = Check("", subject, "float32", "eager", PROFILES["smoke"], 0, 1, Journal(None))
    assert check.judge(replace(held, pattern=""), network.run(held.architecture, held.weights, held.inputs))


def test_subject_cannot_change_the_witness() -> None:
    """A call that writes to its arguments leaves the arrays of a fresh case alone, drawn or read."""
    for case in (Case(PLAIN.architecture, 2, 4, "unit", 5), PLAIN.with_arrays(PLAIN.arrays)):
        before = PLAIN.weights.layers[0].U.copy()
        case.weights.layers[0].U[...] = 0
        after = case.fresh().weights.layers[0].U
        assert (after == before).all()


def test_expected_and_actual_are_kept(tmp_path: Path) -> None:
    """What was seen and what should have been stand in the file, if they are known."""
    found = read_witness(write_witness(witness(actual=np.array([1.5], np.float32), expected=np.array([2.0])), tmp_path))
    assert found.actual == {"dtype": "float32", "shape": [1], "values": [1.5]}
    assert found.expected == {"dtype": "float64", "shape": [1], "values": [2.0]}


def test_what_nobody_would_read_is_not_kept() -> None:
    """Of a large array the shape is told, and a witness stays a file that can be mailed."""
    large, small = np.zeros((100, 50), np.float32), np.zeros(3, np.float32)
    kept = witness(expected=large, actual=small)
    assert kept.expected == "5000 numbers, shape (100, 50)"
    assert kept.actual == array_as_data(small)


def test_file_name_is_safe(tmp_path: Path) -> None:
    """It names adapter, check, dtype and mode, and has nothing that a file system might not take."""
    path = write_witness(witness(), tmp_path / "deep" / "folder")
    assert path.name == "package.module_adapter--test_recurrence--float32-eager.json"


def change(data: dict[str, Any], *path: str, to: Any) -> None:
    for name in path[:-1]:
        data = data[name]
    data[path[-1]] = to


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: d.pop("seed"), "fields too many or too few: seed; there should be adapter, versions"),
        (lambda d: change(d, "extra", to=1), "fields too many or too few: extra"),
        (lambda d: change(d, "witness", to=99), "it should be a JSON object whose field 'witness' is 2"),
        (lambda d: change(d, "witness", to=1), "it is of format 1, which an older version of this suite wrote"),
        (lambda d: change(d, "search", to="x"), "search should be of type int, but is 'x'"),
        (lambda d: change(d, "profile", to="x"), "profile is 'x', but should be one of smoke, default"),
        (lambda d: change(d, "case", "batch", to=0), "case.batch should be a number of at least 1, but is 0"),
        (lambda d: change(d, "case", "regime", to="x"), "case.regime is 'x', but should be one of integers"),
        (lambda d: change(d, "case", "architecture", "layers", to=3), "case.architecture.layers should be a list"),
        (lambda d: change(d, "case", "architecture", "layers", to=[]), "needs at least one layer"),
        (lambda d: change(d, "case", "architecture", "dtype", to="int8"), "dtype is 'int8', but should be one of"),
        (lambda d: d["case"]["architecture"].pop("layers"), "too few: layers; there are layers, embedding"),
        (lambda d: d["case"]["arrays"].pop("inputs"), "arrays too many or too few: inputs; there should be layers"),
        (lambda d: d["case"].pop("arrays"), "case should be null, or have the field arrays"),
        (lambda d: change(d, "case", "arrays", "inputs", to=3), "inputs should have dtype, shape and values"),
        (lambda d: change(d, "case", "arrays", "inputs", "values", to=[1]), "inputs cannot be read: a list"),
        (lambda d: change(d, "case", "arrays", "inputs", "shape", to=[4, 2, 2]), "not nested as its shape"),
        (lambda d: change(d, "case", "arrays", "inputs", "dtype", to="x"), "inputs cannot be read: data type 'x'"),
        (
            lambda d: d["case"]["arrays"]["layers[0].b"].update(shape=[1], values=[1.0]),
            r"layers\[0\].b is float32 of shape \(1,\), but should be float32 of shape \(3,\)",
        ),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: Callable[[dict[str, Any]], object], message: str) -> None:
    """The error names the file, what is wrong with it, and what there should be."""
    path = write_witness(witness(), tmp_path)
    data = json.loads(path.read_text(encoding="utf-8"))
    damage(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(DamagedWitness, match=message) as error:
        read_witness(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"witness": NaN}', "[" * 100_000, "3"])
def test_what_is_no_witness(tmp_path: Path, text: str) -> None:
    """Any other file is refused by its name, and never with another exception."""
    path = tmp_path / "note.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DamagedWitness, match=r"note\.json is no witness: "):
        read_witness(path)


def test_journal_says_what_was_running(tmp_path: Path) -> None:
    """Whoever finds the process dead learns the check, its search, its seed and the case; before that, nothing."""
    journal = Journal(tmp_path / "journal")
    assert read_journal(tmp_path / "journal") is None
    journal.begin(ITEM)
    journal.enter(2, 7)
    journal.note(CASES[1])
    journal.note(PLAIN)  # shorter than what stood there before
    running = read_journal(tmp_path / "journal")
    assert running is not None
    assert (running.item.check, running.search, running.seed, running.case) == (ITEM.check, 2, 7, PLAIN)
    journal.enter(3, 7)
    running = read_journal(tmp_path / "journal")
    assert running is not None
    assert (running.search, running.case) == (3, None)
    journal.close()


def test_journal_is_never_read_half_written(tmp_path: Path) -> None:
    """Check and search replace those before them as a whole: who has the file open still reads the earlier ones."""
    journal = Journal(tmp_path / "journal")
    journal.begin(ITEM)
    with (tmp_path / "journal").open("rb") as opened:
        journal.begin(replace(ITEM, check="test_another"))
        journal.enter(1, 7)
        (tmp_path / "then").write_bytes(opened.read())
    journal.close()
    read = [running_item(tmp_path / name) for name in ("then", "journal")]
    assert [(found[0].check, found[1]) for found in read if found] == [(ITEM.check, 0), ("test_another", 7)]


@pytest.mark.slow
def test_run_leaves_a_witness_and_a_script(run_here: Supervised, tmp_path: Path) -> None:
    """Each failure has its files beside the results; the record names them and the command that runs it again."""
    results = run_here("planted:transposed", "1.4")
    assert {record.verdict for record in results.checks} == {"fails"}
    for record in results.checks:
        found = read_witness(tmp_path / record.witness_file)
        assert (found.adapter, found.search, str(found.case)) == ("planted:transposed", 0, record.case)
        assert record.replay == f"rnn-conformance replay {record.witness_file}"
        assert found.actual is not None
        assert (tmp_path / record.reproducer_file).exists()
    run_here("planted:transposed", "8.1")
    assert not list((tmp_path / "witnesses").iterdir()), "what an earlier run left is of no use"


@pytest.mark.slow
def test_crash_leaves_a_witness(supervised: Supervised, tmp_path: Path) -> None:
    """The case that was running when the process died is kept, and why there is no script."""
    results = supervised("misbehaving:segfaults", "1.10")
    (record,) = (record for record in results.checks if record.verdict == "crashed")
    found = read_witness(tmp_path / record.witness_file)
    assert (found.verdict, found.message, found.dtype) == ("crashed", "killed by SIGSEGV", "float32")
    assert str(found.case) == record.case
    assert (record.reproducer_file, record.no_reproducer) == ("", "the process ended")
