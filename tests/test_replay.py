"""Running a witness again: with the same adapter or another, whatever that does."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copy
from threading import Event

import numpy as np
import pytest
from click.testing import CliRunner, Result
from conftest import Supervised
from in_this_process import workers_in_this_process

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.running.supervisor import run_one
from rnn_conformance.conformance.witnesses.converting import in_dtype
from rnn_conformance.conformance.witnesses.witness import read_witness, write_witness


def replay(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)])


def change(path: Path, **fields: object) -> None:
    """Rewrite a witness with other fields."""
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, **fields}), encoding="utf-8")


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The witnesses of a transposed U in the last output."""
    return witnesses_of("1.4", tmp_path_factory.mktemp("run"))


def witnesses_of(clause: str, folder: Path) -> Path:
    """Those of a transposed U."""
    folder.mkdir(exist_ok=True)
    with workers_in_this_process():
        order = Order("smoke", 0, Selection([clause]), 1, 60, folder)
        run_one(order, "planted:transposed", lambda step: None, Event())
    return folder / "witnesses"


@pytest.fixture(autouse=True)
def workers(request: pytest.FixtureRequest) -> Iterator[None]:
    """What comes of a replay is asked here, and of its process only where an adapter ends it."""
    if "supervised" in request.fixturenames:
        yield
    else:
        with workers_in_this_process():
            yield


@pytest.fixture
def witness(failures: Path, tmp_path: Path) -> Path:
    """One of a drawn case, to be changed at will."""
    return Path(copy(failures / "planted_transposed--test_last_output--float32-eager.json", tmp_path))


@pytest.mark.slow
def test_same_adapter_fails_again(witness: Path) -> None:
    """It is the same failure, to the last digit, and the exit status is 1."""
    result = replay(witness)
    assert result.exit_code == 1, result.output
    assert "✗ fails: test_values.py::test_last_output[float32-eager] with planted:transposed" in result.stdout
    assert read_witness(witness).message in result.stdout


@pytest.mark.slow
def test_another_adapter_conforms(witness: Path) -> None:
    """The same example is given to it, and the exit status is 0."""
    result = replay(witness, "--adapter", "numpy")
    assert result.exit_code == 0, result.output
    assert "✓ conforms: test_values.py::test_last_output[float32-eager] with numpy" in result.stdout


def test_the_arrays_of_the_file_count(witness: Path) -> None:
    """A U that is its own transpose cannot fail: the numbers are those of the file, not those of its seed."""
    data = json.loads(witness.read_text(encoding="utf-8"))
    U = data["case"]["arrays"]["layers[0].U"]
    U["values"] = [[float(i == k) for i in range(len(U["values"]))] for k in range(len(U["values"]))]
    witness.write_text(json.dumps(data), encoding="utf-8")
    assert replay(witness).exit_code == 0


@pytest.mark.slow
def test_example_without_a_case(tmp_path: Path) -> None:
    """An example that is not drawn is found by its number."""
    path = Path(
        copy(
            witnesses_of("1.9", tmp_path / "run") / "planted_transposed--test_shift_register--float32-eager.json",
            tmp_path,
        )
    )
    assert read_witness(path).case is None
    assert replay(path).exit_code == 1
    assert replay(path, "--adapter", "numpy").exit_code == 0
    change(path, search=99)
    result = replay(path)
    assert result.exit_code == 3
    assert "does not come to the example of this witness any more" in result.stdout


@pytest.mark.slow
def test_crash_costs_nothing_but_the_verdict(supervised: Supervised, tmp_path: Path) -> None:
    """A framework that dies of the example dies in a process of its own."""
    results = supervised("misbehaving:segfaults", "1.10")
    (record,) = (record for record in results.checks if record.verdict == "crashed")
    result = replay(tmp_path / record.witness_file)
    assert result.exit_code == 1, result.output
    assert "crashed" in result.stdout
    assert "killed by SIGSEGV" in result.stdout
    assert replay(tmp_path / record.witness_file, "--adapter", "numpy").exit_code == 0


@pytest.mark.slow
def test_mode_of_another_adapter(witness: Path, tmp_path: Path) -> None:
    """An adapter that has no mode of that name runs it in its main one."""
    found = read_witness(witness)
    assert found.case is not None
    case = replace(found.case, architecture=replace(found.case.architecture, mode="unrolled"))
    path = write_witness(replace(found, mode="unrolled", case=case.with_arrays(found.case.arrays)), tmp_path / "other")
    result = replay(path, "--adapter", "numpy", "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["mode"] == "eager"


@pytest.mark.slow
def test_several_witnesses(failures: Path, witness: Path) -> None:
    """Each is told, and the gravest verdict is the exit status."""
    other = failures / "planted_transposed--test_last_output--float64-eager.json"
    change(witness, dtype="bfloat16")
    result = replay(other, witness, "--format", "markdown")
    assert result.exit_code == 3
    assert "**fails**: test\\_values.py::test\\_last\\_output\\[float64-eager\\]" in result.stdout
    assert "**unsupported**" in result.stdout


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"check": "test_values.py::test_of_old"}, "this version of the suite has no check test_values.py::test_of"),
        ({"dtype": "float16", "adapter": "planted:transposed"}, "the adapter does not offer float16"),
    ],
)
def test_what_cannot_be_run(witness: Path, fields: dict[str, object], message: str) -> None:
    """A check that is gone and a dtype that is not offered are neither conformity nor failure: status 3."""
    change(witness, **fields)
    result = replay(witness)
    assert result.exit_code == 3, result.output
    assert message in result.stdout


@pytest.mark.parametrize(
    ("content", "arguments", "helps"),
    [
        ("{}", (), ["w.json is no witness", "'witness' is 2"]),
        ('{"witness": 2, "\\u001b[31m": 1}', (), ["w.json is no witness", "too many or too few: \\x1b[31m"]),
        ("{}", ("--adapter", "numpy"), ["w.json is no witness", "'witness' is 2"]),
        (None, (), ["w.json", "does not exist"]),
        ("", ("--adapter", "pytorch"), ["there is no adapter 'pytorch'", "keras-jax"]),
        ("", ("--format", "xml"), ["'pretty'", "'markdown'", "'json'"]),
    ],
)
def test_wrong_usage(tmp_path: Path, content: str | None, arguments: Sequence[str], helps: Sequence[str]) -> None:
    """Status 2, and a word on what there should be."""
    path = tmp_path / "w.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    result = replay(path, *arguments)
    assert result.exit_code == 2
    assert "\x1b" not in result.output
    for text in helps:
        assert text in result.stderr.replace("\n", "")


def test_another_dtype(witness: Path, failures: Path) -> None:
    """The same numbers, where the dtype has them; else it is said what was rounded."""
    result = replay(witness, "--dtype", "float64")
    assert result.exit_code == 1, result.output
    assert "✗ fails: test_values.py::test_last_output[float64-eager] with planted:transposed" in result.stdout
    assert "all numbers are those of the witness, in float64" in result.stdout
    wide = read_witness(failures / "planted_transposed--test_last_output--float64-eager.json")
    assert wide.case is not None
    wide.case.weights.layers[0].named["U"][0, 0] = 1 + 2.0**-40
    narrower = replay(write_witness(wide, witness.parent / "wide"), "--dtype", "float32")
    assert narrower.exit_code == 1, narrower.output
    assert "  layers[0].U: rounded to float32" in narrower.stdout


def test_same_numbers_in_another_dtype(witness: Path) -> None:
    """To float64 and back is the same example again."""
    found = read_witness(witness)
    wider, rounded = in_dtype(found, "float64")
    back, none = in_dtype(wider, "float32")
    assert (list(rounded), list(none)) == ([], [])
    assert wider.case is not None
    assert back.case is not None
    assert found.case is not None
    assert wider.case.architecture.dtype == "float64"
    assert {array.dtype.name for name, array in wider.case.arrays.arrays() if name != "mask"} == {"float64"}
    for (name, array), (_, again) in zip(found.case.arrays.arrays(), back.case.arrays.arrays(), strict=True):
        np.testing.assert_array_equal(array, again, err_msg=name, strict=True)


def test_dtype_that_the_check_is_not_run_in(witness: Path) -> None:
    """It is told which there are, and nothing is run."""
    result = replay(witness, "--dtype", "bfloat16")
    assert result.exit_code == 2
    assert "test_last_output is not run in bfloat16, but in float32, float64" in " ".join(result.stderr.split())


def test_script_of_a_witness(witness: Path, tmp_path: Path) -> None:
    """It is written beside the verdict, says which command runs the witness again, and shows the failure by itself."""
    made = tmp_path / "new" / "bug.py"
    result = replay(witness, "--script", made)
    assert result.exit_code == 1, result.output
    assert f"without this suite: python {made}" in result.stdout
    text = made.read_text(encoding="utf-8")
    head = " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    assert "outputs[" in head
    assert f"to run that again: rnn-conformance replay {witness}" in head
    assert "rnn_conformance" not in text
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, made], capture_output=True, text=True, check=True, env=environment)
    differences = [float(line.split(": ")[1]) for line in done.stdout.splitlines() if line.startswith("the largest")]
    assert max(differences) > 0.01


def test_script_in_json(witness: Path, tmp_path: Path) -> None:
    """The record says where it is, and why there is none."""
    made = tmp_path / "bug.py"
    (record,) = json.loads(replay(witness, "--script", made, "--format", "json").stdout)
    assert (record["reproducer_file"], record["no_reproducer"]) == (str(made), "")
    other = ("--adapter", "planted:without_script", "--script", tmp_path / "other.py")
    (record,) = json.loads(replay(witness, *other, "--format", "json").stdout)
    assert (record["reproducer_file"], record["no_reproducer"]) == ("", "the adapter writes no scripts")


@pytest.mark.parametrize(
    ("adapter", "sentences"),
    [
        (
            "planted:without_script",
            [
                "no script was written: the adapter writes no scripts",
                "instead, give this command: rnn-conformance replay {witness} --adapter planted:without_script",
            ],
        ),
        ("numpy", ["no script was written: the verdict is 'conforms', and a script shows what fails"]),
    ],
)
def test_no_script_of_a_witness(witness: Path, tmp_path: Path, adapter: str, sentences: Sequence[str]) -> None:
    """What was asked for could not be done: status 3, with the reason, and what to do where it does fail."""
    made = tmp_path / "bug.py"
    result = replay(witness, "--adapter", adapter, "--script", made)
    assert result.exit_code == 3, result.output
    for sentence in sentences:
        assert sentence.format(witness=witness) in result.stdout
    assert not made.exists()


def test_script_of_a_deviation(tmp_path: Path) -> None:
    """The command in it has the deviation's name, not that of a file, and all that was asked for."""
    made = tmp_path / "bug.py"
    result = replay("keras-jax-float64", "--adapter", "planted:transposed", "--dtype", "float32", "--script", made)
    assert result.exit_code == 1, result.output
    head = " ".join((ast.get_docstring(ast.parse(made.read_text(encoding="utf-8"))) or "").split())
    command = "rnn-conformance replay keras-jax-float64 --adapter planted:transposed --dtype float32"
    assert head.endswith(f"to run that again: {command}")


def test_script_is_never_written_over(witness: Path, tmp_path: Path) -> None:
    """A file that is there stays as it is, and one file is not for two witnesses: status 2, and nothing is run."""
    made = tmp_path / "bug.py"
    made.write_text("mine", encoding="utf-8")
    result = replay(witness, "--script", made)
    assert result.exit_code == 2
    assert "is there already, and nothing is written over" in " ".join(result.stderr.split())
    assert made.read_text(encoding="utf-8") == "mine"
    result = replay(witness, witness, "--script", tmp_path / "other.py")
    assert result.exit_code == 2
    assert "--script writes one file: name one witness, and not 2" in " ".join(result.stderr.split())


def test_help_has_examples() -> None:
    """The help shows what to type, and what the exit status means."""
    text = replay("--help").stdout
    assert "rnn-conformance replay keras-jax-float64 --script float64.py" in text
    assert "rnn-conformance replay conformance-report/witnesses/torch--test_recurrence--float32-eager.json" in text
    assert "Exit status: 0 conforms" in text


def test_witness_of_a_deviation() -> None:
    """The name of a known deviation is that of its witness, and another adapter conforms there."""
    result = replay("torch-two-biases", "--adapter", "numpy")
    assert result.exit_code == 0, result.output
    assert "conforms: test_weights.py::test_parameter_count" in result.stdout


def test_neither_a_file_nor_a_deviation() -> None:
    """The names that there are are listed."""
    result = replay("torch-three-biases")
    assert result.exit_code == 2
    assert "there is no file and no deviation 'torch-three-biases'; the deviations are " in result.stderr
    assert "torch-two-biases" in result.stderr
