"""The GitHub Action: its steps are run here, with a suite and a pip that only note down what they are asked."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from example_results import check, results, written

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reports.upgrades.change import KINDS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}

SUITE = """#!/usr/bin/env bash
if [ "$1" = run ]; then
  echo "$@" >> asked
  mkdir -p "$6" && cp new*.jsonl "$6"
  exit "$(cat status)"
fi
exec {python} -c '
from pathlib import Path
from rnn_conformance.reports.documents import baseline
baseline.PINNED = Path("pinned-here")
from rnn_conformance.conformance.commands.main import cli
cli()' "$@"
"""


ALL_CELLS = " ".join(f"--cell {cell}" for cell in CELLS)


@dataclass(frozen=True)
class Ran:
    """How a step ended, and what it left behind."""

    status: int
    outputs: Mapping[str, str]
    summary: str
    asked: str


def step(folder: Path, name: str, status: int = 0, **inputs: str) -> Ran:
    """Run a step's script as a runner does, with these inputs and the defaults of the others."""
    given = {key: value.get("default", "") for key, value in ACTION["inputs"].items()} | inputs
    environment = {key: substituted(value, given) for key, value in STEPS[name]["env"].items()}
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for tool, text in (
        ("rnn-conformance", SUITE.format(python=sys.executable)),
        ("python", '#!/usr/bin/env bash\nprintf "%s\\n" "$@" >> asked\n'),
    ):
        (tools / tool).write_text(text, encoding="utf-8")
        (tools / tool).chmod(0o755)
    (folder / "status").write_text(str(status), encoding="utf-8")
    files = {name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]["run"]],
        cwd=folder,
        env={
            **os.environ,
            **environment,
            **{key: str(path) for key, path in files.items()},
            "GITHUB_ACTION_PATH": str(folder / "action"),
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        },
        check=False,
    )
    texts = [path.read_text(encoding="utf-8") if path.exists() else "" for path in (*files.values(), folder / "asked")]
    outputs = dict(line.split("=", 1) for line in texts[0].splitlines())
    return Ran(done.returncode, outputs, texts[1], texts[2])


def substituted(value: str, given: Mapping[str, str]) -> str:
    found = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value)
    assert found is not None, value
    return given[found[1]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that has lost a verdict since the pinned baseline."""
    baselines = tmp_path / "pinned-here"
    baselines.mkdir()
    written(baselines / "numpy.jsonl", results("numpy"))
    written(baselines / "torch.jsonl", results(checks=[check()], versions={"torch": "1"}))
    written(tmp_path / "new.jsonl", results(checks=[check(verdict="fails", message="wrong")], versions={"torch": "2"}))
    return tmp_path


def test_inputs_reach_scripts_as_variables_only() -> None:
    """Text of an input that stood in a script would be run."""
    assert set(STEPS) == {"Install", "Check and compare"}
    for each in STEPS.values():
        assert "${{" not in each["run"]
        assert each["shell"] == "bash"
        for name, value in each["env"].items():
            assert re.search(rf"\${name}\b", each["run"]), f"{name} is not used"
            assert value == f"${{{{ inputs.{name.lower().replace('_', '-')} }}}}"


def test_outputs_and_kinds() -> None:
    """The outputs are those of the step that compares; the kinds are those of `compare`."""
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.{STEPS['Check and compare']['id']}.outputs.{name} }}}}"
    for kind in (*KINDS, "any", "none"):
        assert kind in ACTION["inputs"]["fail-on"]["description"]
    assert all(each["description"].strip() for each in (*ACTION["inputs"].values(), *ACTION["outputs"].values()))


def test_readme_has_inputs_that_there_are() -> None:
    """Its example gives every required one, and kinds of cells that there are."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "OWNER/NAME" in block)
    given = yaml.safe_load(example)[-1]["with"]
    assert set(given) <= set(ACTION["inputs"])
    assert {name for name, each in ACTION["inputs"].items() if each.get("required")} <= set(given)
    assert set(given["cell"].split()) <= set(CELLS)
    for cell in CELLS:
        assert cell in ACTION["inputs"]["cell"]["description"]


def test_install(tmp_path: Path) -> None:
    """The suite with its desk, and the packages word by word: no star is a pattern for files."""
    (tmp_path / "keras==3.16").touch()
    ran = step(tmp_path, "Install", packages="keras==3.* jax==0.11.0;touch")
    assert ran.status == 0
    assert ran.asked.splitlines() == [
        *("-m", "pip", "install", "--quiet"),
        f"{tmp_path / 'action'}[desk]",
        *("keras==3.*", "jax==0.11.0;touch"),
    ]
    (tmp_path / "asked").unlink()
    assert step(tmp_path, "Install").asked.endswith("[desk]\n")


@pytest.mark.parametrize(
    "packages",
    ["keras==3.16.0\njax==0.11.0", "\n  keras==3.16.0  \n\n  jax==0.11.0\n", "- keras==3.16.0\n- jax==0.11.0\n"],
)
def test_install_of_a_list(tmp_path: Path, packages: str) -> None:
    """Every line counts, whether it is one of a text or of a YAML list."""
    read: str = yaml.safe_load("packages: |\n" + "".join(f"  {line}\n" for line in packages.splitlines()))["packages"]
    ran = step(tmp_path, "Install", packages=read)
    assert ran.asked.splitlines()[-2:] == ["keras==3.16.0", "jax==0.11.0"]
    assert len(ran.asked.splitlines()) == 7


@pytest.mark.parametrize(
    ("conforms", "inputs", "status"),
    [(0, {}, 1), (1, {"fail-on": "- bits\n- accuracy\n"}, 0), (3, {"fail-on": "none"}, 0), (3, {}, 1)],
)
def test_compare(folder: Path, conforms: int, inputs: dict[str, str], status: int) -> None:
    """Whatever the run ends with, the comparison decides; the summary and the outputs are written first."""
    ran = step(folder, "Check and compare", conforms, backend="torch", out="my report", **inputs)
    assert ran.status == status
    assert ran.outputs == {"report": "my report", "status": str(status)}
    assert "**torch, torch 1 → 2**: meaning 1 worse" in ran.summary
    assert "numpy" not in ran.summary  # which is pinned, and was not asked for
    assert ran.asked == f"run torch --profile smoke --out my report {ALL_CELLS}\n"


@pytest.mark.parametrize(
    ("cell", "asked"),
    [
        ("lstm gru", "--cell lstm --cell gru"),
        ("- gru\n- lstm\n", "--cell gru --cell lstm"),
        ("\n  simple_rnn\n", "--cell simple_rnn"),
        (" \n", ALL_CELLS),
    ],
)
def test_cells(folder: Path, cell: str, asked: str) -> None:
    """Those that are named, in one line or in several; all that there are where none is."""
    ran = step(folder, "Check and compare", backend="torch", cell=cell, out="report")
    assert ran.asked == f"run torch --profile smoke --out report {asked}\n"


def test_wrong_cell(folder: Path) -> None:
    """The command line, given what the action asks of it, names the right ones, and the step ends there."""
    ran = step(folder, "Check and compare", 2, backend="torch", cell="lstm, gru", out="report")
    assert (ran.status, ran.outputs) == (2, {})
    told = CliRunner().invoke(cli, shlex.split(ran.asked))
    assert told.exit_code == 2
    assert "'lstm,' is not one of 'simple_rnn', 'lstm', 'gru'" in told.stderr


def test_each_cell_is_compared_with_its_own(folder: Path) -> None:
    """A cell that got worse fails, whichever it is."""
    good, bad = [check()], [check(verdict="fails", message="wrong")]
    for cell in CELLS:
        written(folder / "pinned-here" / f"torch-{cell}.jsonl", results(checks=good, cell=cell))
        written(folder / f"new-{cell}.jsonl", results(checks=bad if cell == "gru" else good, cell=cell))
    for file in (folder / "pinned-here" / "torch.jsonl", folder / "new.jsonl"):
        file.unlink()
    ran = step(folder, "Check and compare", backend="torch")
    assert ran.status == 1
    told = re.findall(r"^\*\*(.*)\*\*: (.*) \(1 check\)", ran.summary, re.MULTILINE)
    assert told == [
        ("torch-gru (torch 2.13.0)", "meaning 1 worse"),
        ("torch-lstm (torch 2.13.0)", "nothing changed"),
        ("torch 2.13.0", "nothing changed"),
    ]


def test_baseline_of_one_cell(folder: Path) -> None:
    """It is compared with that cell, and the summary says which ones it is not compared with."""
    for cell in ("lstm", "gru"):
        written(folder / f"new-{cell}.jsonl", results(checks=[check()], cell=cell))
    written(folder / "mine.jsonl", results(checks=[check()], cell="lstm"))
    ran = step(folder, "Check and compare", 1, backend="torch", baseline="mine.jsonl", out="report")
    assert (ran.status, ran.outputs["status"]) == (0, "0")
    assert "**torch-lstm (torch 2.13.0)**: nothing changed" in ran.summary
    assert "> only in report: torch-gru, torch\n" in ran.summary
    assert "meaning" not in ran.summary  # the simple RNN got worse than the pinned one, which nobody asked about


def test_a_baseline_of_ones_own(folder: Path) -> None:
    """A file or folder of the repository that uses the action; one of another profile is refused, with the reason."""
    written(folder / "mine.jsonl", results(checks=[check()]))
    assert step(folder, "Check and compare", backend="torch", baseline="mine.jsonl").status == 1
    old = results(checks=[check()])
    written(folder / "other.jsonl", replace(old, header=replace(old.header, profile="thorough")))
    ran = step(folder, "Check and compare", backend="torch", baseline="other.jsonl")
    assert (ran.status, ran.outputs["status"]) == (2, "2")
    assert "of profile thorough" in ran.summary


def test_wrong_usage(folder: Path) -> None:
    """A backend that there is not ends the step at once."""
    ran: Any = step(folder, "Check and compare", 2, backend="pytorch")
    assert (ran.status, ran.outputs, ran.summary) == (2, {}, "")
