"""What `new-adapter` writes works as it stands: it conforms on the first check, and its adapter is as it should be."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from in_this_process import workers_in_this_process

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import checks
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.commands.new_adapter import KINDS
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.inspecting.inspection import Inspection
from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.running.supervisor import run_all
from rnn_conformance.conformance.selftest.trials import failure_of
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reports.records.records import read

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
def test_conforms_on_the_first_check(written: str, tmp_path: Path) -> None:
    """And nothing is wrong with the adapter."""
    assert list(Inspection(written).mistakes()) == []
    order = Order("smoke", 0, Selection((), ("test_recurrence",), ("float32",)), 1, 60, tmp_path / "results")
    with workers_in_this_process():
        (results,) = run_all([order], [written], 1, lambda step: None)
    (record,) = read(results).checks
    assert (record.check, record.verdict) == ("test_values.py::test_recurrence[float32-eager]", "conforms")


@pytest.mark.parametrize(
    "name",
    [
        "test_values.py::test_recurrence",
        "test_masks.py::test_final_state_under_a_mask",
        "test_gradients.py::test_gradients_of_weights",
        "test_gradients.py::test_gradients_under_a_mask",
    ],
)
def test_module_of_torch_in_the_readme(name: str) -> None:
    """It conforms with lengths and gradients, in examples that could have told it from a wrong one."""
    pytest.importorskip("torch")
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (example,) = (e for e in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if "MyRNN" in e)
    names: dict[str, Any] = {"__name__": "my_rnn"}
    exec(compile(example, "README.md", "exec"), names)
    check = Check(name, Subject(names["adapter"]), "float64", "eager", PROFILES["smoke"], 0, 1, Journal(None))
    assert failure_of(check, checks()[name]) is None
    assert check.evidence.discriminating


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
