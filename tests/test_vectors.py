"""The set of cases with what is right for them: its files are what they say, and its bounds tell right from wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from rnn_conformance.adapters.numpy.adapter import adapter
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.vectors.expected import expected_of
from rnn_conformance.conformance.vectors.selection import CELLS, Vector, vectors
from rnn_conformance.conformance.vectors.writing import CHOICES, SCHEMA
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.model.states import state_arrays

pytest.importorskip("safetensors")

DOCS = Path(__file__).parents[1] / "docs" / "vectors.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set in float32, as the command writes it."""
    folder = tmp_path_factory.mktemp("set") / "vectors"
    done = CliRunner().invoke(cli, ["vectors", "--to", str(folder)])
    assert done.output == f"60 cases in {folder}\n"
    return folder


def case(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def test_files_are_as_the_schema_says(folder: Path) -> None:
    """Each of them, and the schema lies beside them."""
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    assert schema == json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    names = json.loads((folder / "index.json").read_text(encoding="utf-8"))["cases"]
    assert len(names) == 10 * len(CELLS)
    for name in names:
        validator.validate(case(folder, name))


def test_both_files_have_the_same_numbers(folder: Path) -> None:
    """To the bit, and every array of one is in the other."""
    from safetensors.numpy import load_file

    kept = load_file(folder / "vectors.safetensors")
    parts = ("weights", "given", "expected", "bound")
    for name in ("lstm-two-biases--bidirectional", "gru-reset-after--lengths"):
        told = case(folder, name)
        arrays = {f"{name}/{part}/{key}": array for part in parts for key, array in told[part].items()}
        assert {key for key in kept if key.startswith(f"{name}/")} == arrays.keys()
        for key, array in arrays.items():
            there = np.array(array["values"], array["dtype"]).reshape(array["shape"])
            np.testing.assert_array_equal(kept[key], there, strict=True)


@pytest.mark.parametrize("vector", tuple(vectors("float32")), ids=lambda vector: vector.name)
def test_a_right_layer_is_within_the_bounds(vector: Vector) -> None:
    """NumPy's, in float32; and one without recurrence is not."""
    case = vector.case
    cell = case.architecture.layers[0].cell
    if adapter.describe().lacks_variant(cell):
        pytest.skip(f"NumPy's adapter has other variants than {cell}")
    network = adapter.prepare(case.architecture)
    network.load(case.weights)
    output = network.run(case.inputs, initial_state=case.initial_state if vector.started else None, **case.given)
    expected = dict(expected_of(case, standard_precision("float32"), CHOICES, started=vector.started))
    found = {"outputs": output.outputs, **dict(state_arrays("final_state", output.final_state))}
    assert found.keys() == expected.keys()
    tells = False
    for name, array in found.items():
        right = expected[name]
        assert array.shape == right.value.shape
        assert (np.abs(array.astype(np.float64) - right.value) <= right.bound).all(), name
        tells |= bool((np.abs(right.without_recurrence - right.value) > right.bound).any())
    assert tells


@pytest.mark.slow
def test_the_same_set_has_the_same_digest(folder: Path, tmp_path: Path) -> None:
    """And the set in float64 another one."""
    digests = []
    for name, *options in (("again",), ("wide", "--dtype", "float64")):
        assert CliRunner().invoke(cli, ["vectors", "--to", str(tmp_path / name), *options]).exit_code == 0
        digests.append(json.loads((tmp_path / name / "index.json").read_text(encoding="utf-8"))["digest"])
    assert digests[0] == json.loads((folder / "index.json").read_text(encoding="utf-8"))["digest"]
    assert digests[1] != digests[0]


def test_nothing_is_written_over(folder: Path) -> None:
    """A folder that has something in it stays as it is."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = CliRunner().invoke(cli, ["vectors", "--to", str(folder), "--dtype", "float64"])
    assert done.exit_code == 2
    assert "is not empty: name a new folder" in done.stderr.replace("\n", " ")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_reader_in_the_documentation(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """It runs as it stands, is as short as it is said to be, and tells a wrong layer from a right one."""
    (reader,) = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len([line for line in reader.splitlines() if line.strip()]) <= 30
    monkeypatch.chdir(folder.parent)
    exec(compile(reader, "reader.py", "exec"), {})
    assert re.fullmatch(r"simple-rnn--plain: 0\.\d\d of the bound, right\n", capsys.readouterr().out)
    exec(compile(reader.replace('weights["U"].T', 'weights["U"]'), "reader.py", "exec"), {})
    assert capsys.readouterr().out.endswith("WRONG\n")
