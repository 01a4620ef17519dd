"""The command line: what it prints, how it ends, and how it helps with a wrong name."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from example_results import results, written
from in_this_process import workers_in_this_process

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.identity import suite_digest
from rnn_conformance.conformance.running import options
from rnn_conformance.conformance.witnesses.deviations import known_deviations
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.records.records import read

PROJECT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def adapters_of_these_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def conforming(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """A small run of an adapter that conforms, and its folder."""
    folder = tmp_path_factory.mktemp("run")
    with workers_in_this_process():
        return run("run", "numpy", "--profile", "smoke", "--only", "6.3", "--out", folder), folder


def test_run_conforms(conforming: tuple[Result, Path]) -> None:
    """A conforming adapter ends with status 0, and leaves results, a log and a site."""
    result, folder = conforming
    assert result.exit_code == 0, result.output
    assert "numpy" in result.stdout
    assert str(folder / "index.html") in result.stdout.replace("\n", "")
    site = {".lock", "index.html", "atlas.html", "site.css", "site.js", "backends", "cells", "badges"}
    assert {path.name for path in folder.iterdir()} == site | {"numpy.jsonl", "numpy.log"}


def test_results_say_where_they_come_from(conforming: tuple[Result, Path]) -> None:
    """The header names all that numbers may depend on, down to the kind of processor."""
    environment = read(conforming[1] / "numpy.jsonl").header.environment
    assert list(environment) == ["python", "platform", "machine", "processor", "numpy", "hypothesis"]
    assert all(environment.values())


def test_results_say_what_was_asked_and_when(conforming: tuple[Result, Path]) -> None:
    """What makes a run partial, and its time in UTC, stand in the header; the former is said with the verdict."""
    result, folder = conforming
    header = read(folder / "numpy.jsonl").header
    assert header.only == ["6.3"]
    age = datetime.now(timezone.utc) - datetime.fromisoformat(header.started.replace("Z", "+00:00"))
    assert timedelta(0) <= age < timedelta(hours=1)
    assert "a first look (profile smoke); asked for 6.3 only" in " ".join(result.stdout.split())


@pytest.mark.slow
def test_run_in_a_process_of_its_own(tmp_path: Path) -> None:
    """A worker that is started comes to the same end, and has the digest of the suite that started it."""
    result = run("run", "numpy", "--profile", "smoke", "--only", "1.1", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    results = read(tmp_path / "numpy.jsonl")
    assert {record.verdict for record in results.checks} == {"conforms"}
    assert results.header.digest == suite_digest()


@pytest.mark.slow
def test_results_that_something_else_damages(tmp_path: Path) -> None:
    """A layer, or another run with the same folder, that overwrites the results ends the run with a word on that."""
    result = run("run", "misbehaving:overwrites", "--profile", "smoke", "--only", "1.10", "--out", tmp_path)
    assert result.exit_code == 3
    assert "misbehaving_overwrites.jsonl, line 1: " in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_no_worker_outlives_a_run_that_ends_early(tmp_path: Path) -> None:
    """The damage is seen while the check still runs: the process in which it does is killed."""
    result = run("run", "misbehaving:floods", "--profile", "smoke", "--only", "1.10", "--out", tmp_path)
    assert result.exit_code == 3
    assert "misbehaving_floods.jsonl, line 1: " in result.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "misbehaving_floods.pid").read_text()), 0)


@pytest.mark.slow
def test_run_that_fails_leaves_evidence(tmp_path: Path) -> None:
    """Witnesses and scripts lie beside the results, and the summary says how to use them."""
    with workers_in_this_process('matches "U is transposed"'):
        result = run("run", "planted:transposed", "--profile", "smoke", "--only", "1.4", "--out", tmp_path)
    assert result.exit_code == 1, result.output
    name = "planted_transposed--test_last_output--float32-eager"
    assert (tmp_path / "witnesses" / f"{name}.json").exists()
    assert (tmp_path / "reproducers" / f"{name}.py").exists()
    shown = "".join(result.stdout.split())
    assert f"rnn-conformancereplay{tmp_path}/witnesses/{name}.json" in shown
    assert f"python{tmp_path}/reproducers/{name}.py" in shown
    assert 'matches"Uistransposed"' in shown


@pytest.mark.slow
def test_run_that_does_not_work(tmp_path: Path) -> None:
    """An adapter that cannot say what it is ends with status 3, which tells it from one that does not conform."""
    result = run("run", "misbehaving:undescribed", "--profile", "smoke", "--only", "1.10", "--out", tmp_path)
    assert result.exit_code == 3, result.output
    assert "⊘ misbehaving:undescribed broken: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "helps"),
    [
        (["run", "pytorch"], ["there is no adapter 'pytorch'", "torch", "keras-jax", "package.module:attribute"]),
        (["run", "numpy", "--only", "99"], ["no clause or chapter '99'", "3 (State)", "6.3"]),
        (["run", "numpy", "--profile", "quick"], ["'smoke'", "'default'", "'thorough'", "'soak'"]),
        (["spec", "1.99"], ["no clause or chapter '1.99'", "1.10"]),
        (["report", "no/such/file"], ["no/such/file"]),
        (["replay", "no/such/file"], ["no/such/file"]),
    ],
)
def test_wrong_name_lists_the_right_ones(arguments: list[str], helps: list[str]) -> None:
    """Usage errors end with status 2 and say what there is."""
    result = run(*arguments)
    assert result.exit_code == 2
    for text in helps:
        assert text in result.stderr


@pytest.mark.parametrize("arguments", [["run", "no_such"], ["run", "numpy", "--conformance-only", "1"]])
def test_usage_error_writes_nothing(tmp_path: Path, arguments: list[str]) -> None:
    """Nothing is left behind by a command that was refused."""
    result = run(*arguments, "--out", tmp_path / "report")
    assert result.exit_code == 2
    assert not (tmp_path / "report").exists()


def test_spec_as_json() -> None:
    """A chapter gives its clauses, in order."""
    result = run("spec", "3", "--format", "json")
    rows = json.loads(result.stdout)
    assert [row["clause"] for row in rows] == [f"3.{k}" for k in range(1, 9)]
    assert rows[0]["text"] == specification().clauses["3.1"].text


def test_spec_as_markdown() -> None:
    """A pipe in a clause does not end its cell."""
    result = run("spec", "7.3", "--format", "markdown")
    assert "\\|tanh\\| <= 1" in result.stdout


def test_adapters() -> None:
    """Every registered adapter is listed, with the way to install those that are missing."""
    rows = json.loads(run("adapters", "--format", "json").stdout)
    assert {"numpy", "torch", "keras-tensorflow", "keras-torch", "keras-jax", "flax-nnx", "flax-linen", "jax-scan"} <= {
        row["adapter"] for row in rows
    }
    for row in rows:
        assert row["installed"] == (not row["missing"])
        extra = row["adapter"].replace("+", "-")
        installs = f"pip install 'rnn-conformance[{extra}]'"
        assert row["installed"] or row["install"] == installs or row["install"].endswith("npm ci")


def test_report_merges_runs(tmp_path: Path) -> None:
    """Results of several runs become one site."""
    for folder, adapter in (("one", "numpy"), ("two", "misbehaving:prints")):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder / "a.jsonl", results(adapter))
    result = run("report", tmp_path, "--to", tmp_path / "page", "--format", "json")
    assert result.exit_code == 0, result.output
    assert [each["adapter"] for each in json.loads(result.stdout)["backends"]] == ["numpy", "misbehaving:prints"]
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "numpy" in page
    assert "misbehaving:prints" in page


def test_report_names_file_and_line_of_damage(tmp_path: Path) -> None:
    """A damaged results file is an error of one line, not a traceback."""
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text('{"record": "header"}\n{"record": "check"}\n', encoding="utf-8")
    result = run("report", damaged)
    assert result.exit_code == 2
    assert f"{damaged}, line 1" in result.stderr.replace("\n", "")


@pytest.mark.slow
def test_pytest_without_an_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names that there are are told in a line."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.chdir(tmp_path)
    plugins = ["-p", "no:cacheprovider", "-p", options.__name__]
    assert pytest.main(["--pyargs", "rnn_conformance.conformance", "--rootdir", str(tmp_path), *plugins]) == 4
    told = "".join(capsys.readouterr())
    assert "which adapter? Say --adapter NAME; the names are" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"--adapter": "pytorch"}, "there is no adapter 'pytorch'; registered are"),
        ({"--adapter": "numpy", "--conformance-only": ["0"]}, "there is no clause or chapter '0'"),
        ({"--conformance-results": Path("a.jsonl"), "numprocesses": 2}, "cannot be written by several processes"),
        ({"--conformance-results": Path("a.jsonl"), "tx": ["2*popen"]}, "cannot be written by several processes"),
    ],
)
def test_pytest_says_what_is_wrong(given: dict[str, Any], message: str) -> None:
    """A wrong option is explained in a line; so is pytest-xdist, whose processes would spoil one another's results."""
    with pytest.raises(pytest.UsageError, match=re.escape(message)):
        options.pytest_configure(configured(given))


@pytest.mark.parametrize(
    "given", [{"numprocesses": 2, "--adapter": "numpy"}, {"--conformance-results": Path("a.jsonl")}]
)
def test_pytest_in_several_processes(given: dict[str, Any]) -> None:
    """Without a results file, nothing speaks against it."""
    options.pytest_configure(configured(given))


LISTS = ("--conformance-only", "--conformance-check", "--conformance-dtype")
CHOICES = {"--conformance-profile": "default", "--conformance-cell": "simple_rnn"}


def configured(given: dict[str, Any]) -> pytest.Config:
    """A configuration with these options; what it is not given has its default."""
    ours = {"--adapter": None, "--conformance-results": None, **{name: [] for name in LISTS}, **CHOICES}
    return cast(
        pytest.Config,
        SimpleNamespace(
            getoption=lambda name, *default: {**ours, **given}.get(name, *default), addinivalue_line=lambda *_: None
        ),
    )


@pytest.fixture
def one_framework_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    known = registry.registered()
    mine = replace(known["numpy"], name="planted:without_script")  # as one that another package registers
    shown = {"numpy": known["numpy"], mine.name: mine, "torch": replace(known["torch"], missing=("torch",))}
    monkeypatch.setattr(registry, "registered", lambda: shown)


@pytest.mark.slow
@pytest.mark.usefixtures("one_framework_is_installed")
def test_without_a_name_everything_installed_is_run(tmp_path: Path) -> None:
    """What is not installed is named, with the way to install it."""
    with workers_in_this_process():
        result = run("run", "--profile", "smoke", "--only", "2.1", "--jobs", "1", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "torch is not installed: pip install 'rnn-conformance[torch]'" in result.stderr
    assert {path.stem for path in tmp_path.glob("*.jsonl")} == {"numpy", "planted_without_script"}


@pytest.mark.usefixtures("one_framework_is_installed")
def test_adapter_that_is_not_installed() -> None:
    """Asked for by name, it is a usage error that says what to install."""
    result = run("run", "torch")
    assert result.exit_code == 2
    assert "pip install 'rnn-conformance[torch]'" in result.stderr


def test_framework_that_is_older_than_an_adapter_works_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so, in `adapters` and in `run`, in place of a verdict."""
    known = registry.registered()
    old = replace(known["flax-linen"], missing=())
    monkeypatch.setattr(registry, "registered", lambda: {"numpy": known["numpy"], "flax-linen": old})
    monkeypatch.setattr(registry, "resolve", lambda name: known[name].target)
    there = {"flax": "0.7.2", "jax": "0.10.2"}
    monkeypatch.setattr(registry, "installed", lambda packages: {name: there[name] for name in packages})
    line = f"flax-linen needs flax {old.packages['flax']} or newer, 0.7.2 is installed"
    assert f"{line}\n" in run("adapters").stdout
    refused = run("run", "flax-linen")
    assert refused.exit_code == 2
    assert f"{line}: pip install 'rnn-conformance[flax-linen]'" in " ".join(refused.stderr.split())
    nothing = run("run")
    assert nothing.exit_code == 2
    assert "no framework is installed" in nothing.stderr
    with pytest.raises(ImportError, match=line):
        registry.load("flax-linen")


def test_deviations_are_told() -> None:
    """By name or by adapter; each with its reason, its extent, what was seen and how to see it again."""
    told = json.loads(run("deviations", "keras-jax-float64", "torch", "--format", "json").stdout)
    by_name = {each["deviation"]: each for each in told}
    assert by_name.keys() == {"keras-jax-float64", *(d.name for d in known_deviations() if "torch" in d.adapters)}
    assert by_name["torch-two-biases"]["clauses"] == ["6.3"]
    assert by_name["torch-two-biases"]["seen"] == "parameter_count = 21, but should be 18"
    assert by_name["keras-jax-float64"]["again"] == "rnn-conformance replay keras-jax-float64"
    pretty = run("deviations", "torch").stdout
    assert "versions: torch >=2.13" in pretty
    assert "two biases" in pretty
    assert run("deviations", "numpy").stdout == "none is known\n"


def test_page_of_deviations() -> None:
    """The page in docs/ is what the command prints, and has a section for each."""
    page = (PROJECT / "docs" / "deviations.md").read_text(encoding="utf-8")
    printed = run("deviations", "--format", "markdown").stdout
    assert page.endswith(printed), "run: rnn-conformance deviations --format markdown"
    assert re.findall("^## (.+)$", printed, re.MULTILINE) == [d.name for d in known_deviations()]


def test_deviation_of_a_wrong_name() -> None:
    """The right ones are listed, of adapters and of deviations."""
    result = run("deviations", "keras-jaxx")
    assert result.exit_code == 2
    for name in ("keras-jaxx", "keras-jax,", "torch-two-biases"):
        assert name in result.stderr
