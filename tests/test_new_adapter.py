"""What `new-adapter` writes works as it stands: it conforms on the first check, and its adapter is as it should be."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Supervised

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.commands.new_adapter import KINDS

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours


def needed(kind: str) -> bool:
    """Whether the framework of a skeleton is here."""
    return kind == "process" or importlib.util.find_spec(kind) is not None


@pytest.fixture
def written(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an adapter that was written for this kind of framework."""
    kind: str = request.param
    if not needed(kind):
        pytest.skip(f"{kind} is not installed")
    if kind == "keras" and "KERAS_BACKEND" not in os.environ:
        here = [name for name in ("torch", "jax", "tensorflow") if importlib.util.find_spec(name)]
        monkeypatch.setenv("KERAS_BACKEND", here[0])
    done = CliRunner().invoke(cli, ["new-adapter", kind, str(tmp_path / f"my_{kind}.py")])
    assert done.exit_code == 0, done.output
    monkeypatch.syspath_prepend(str(tmp_path))
    yield str(tmp_path / "my_process.toml") if kind == "process" else f"my_{kind}:adapter"
    sys.modules.pop(f"my_{kind}", None)


@pytest.mark.parametrize("written", KINDS, indirect=True)
def test_conforms_on_the_first_check(written: str, run_here: Supervised) -> None:
    """And all of the first clause besides."""
    results = run_here(written, "1.1")
    verdicts = {record.check: (record.verdict, record.message) for record in results.checks}
    assert verdicts.pop("test_values.py::test_recurrence[float32-eager]") == ("conforms", "")
    assert {verdict for verdict, _ in verdicts.values()} <= {"conforms", "unsupported"}, verdicts


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_written_over(kind: str, tmp_path: Path) -> None:
    """Not even the manifest of a program, whose own file is not there yet."""
    file = tmp_path / "my_layer.py"
    kept = file.with_suffix(".toml") if kind == "process" else file
    kept.write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(cli, ["new-adapter", kind, str(file)])
    assert done.exit_code == 2
    assert "nothing was written over it" in done.output
    assert kept.read_text(encoding="utf-8") == "mine"
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize("name", ["my-layer.py", "my_layer", "my_layer.js", "3.py"])
def test_file_that_cannot_be_imported(name: str, tmp_path: Path) -> None:
    """It is said at once, and not by Python later on."""
    done = CliRunner().invoke(cli, ["new-adapter", "numpy", str(tmp_path / name)])
    assert done.exit_code == 2
    assert "should be the file of a module, such as my_layer.py" in done.output


def test_what_comes_next_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["new-adapter", "torch", "my_layer.py"])
    assert "rnn-conformance check-adapter my_layer:adapter\n" in done.output
    assert "rnn-conformance run my_layer:adapter --profile smoke\n" in done.output
    done = CliRunner().invoke(cli, ["new-adapter", "process", "my_backend.py"])
    assert "rnn-conformance run my_backend.toml --profile smoke\n" in done.output
