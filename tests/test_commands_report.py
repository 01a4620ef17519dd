"""The command `report`: every form, and what it says of files that are not what they should be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from example_results import check, every_clause, failing, results, written

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reports.documents.loading import validate_document


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the results of two backends, of which one fails."""
    (tmp_path / "runs").mkdir()
    written(tmp_path / "runs" / "torch.jsonl", results(checks=[failing(), *every_clause()[1:]]))
    written(tmp_path / "runs" / "numpy.jsonl", results("numpy"))
    return tmp_path / "runs"


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_report_has_a_page_and_badges(folder: Path, tmp_path: Path) -> None:
    """In the folder that was asked for, beside nothing else."""
    result = report(folder, "--to", tmp_path / "page")
    assert result.exit_code == 1, result.output
    assert "should be 5.0" in result.stdout
    written = {path.relative_to(tmp_path / "page").as_posix() for path in (tmp_path / "page").rglob("*.*")}
    assert {
        "index.html",
        *(f"badges/{name}.{end}" for name in ("torch", "numpy") for end in ("svg", "json")),
    } <= written


def test_json(folder: Path, tmp_path: Path) -> None:
    """One document, as its schema says; where the page is stands on standard error."""
    result = report(folder, "--to", tmp_path / "page", "--format", "json")
    document = json.loads(result.stdout)
    validate_document(document)
    assert [each["adapter"] for each in document["backends"]] == ["numpy", "torch"]
    assert document["status"] == result.exit_code == 1
    assert "index.html" in result.stderr


def test_junit(folder: Path, tmp_path: Path) -> None:
    """XML and nothing else on standard output."""
    result = report(folder, "--to", tmp_path / "page", "--format", "junit")
    assert [suite.get("failures") for suite in ElementTree.fromstring(result.stdout)] == ["0", "1"]


def test_a_file_named_twice(folder: Path, tmp_path: Path) -> None:
    """By itself and with its folder, it is one backend."""
    result = report(folder, folder / "torch.jsonl", "--to", tmp_path / "page", "--format", "json")
    assert json.loads(result.stdout)["totals"]["backends"] == 2


def test_a_copy_is_not_merged(folder: Path, tmp_path: Path) -> None:
    """Two files of one adapter are refused, with both names."""
    (folder / "copy.jsonl").write_bytes((folder / "torch.jsonl").read_bytes())
    result = report(folder, "--to", tmp_path / "page")
    assert result.exit_code == 2
    assert "adapter torch comes twice" in one_line(result.stderr)


def test_versions_of_a_backend_are_a_timeline(folder: Path, tmp_path: Path) -> None:
    """The newest is the one that the report is about, and that the exit status is of."""
    written(folder / "newer.jsonl", results(versions={"torch": "2.14.0"}))
    result = report(folder, "--to", tmp_path / "page", "--format", "json")
    assert result.exit_code == 0, result.output
    assert [each["adapter"] for each in json.loads(result.stdout)["backends"]] == ["torch", "numpy"]
    assert "2.14.0" in (tmp_path / "page" / "history.html").read_text(encoding="utf-8")
    assert (tmp_path / "page" / "history-torch.svg").is_file()


def test_something_else_is_left_out(folder: Path, tmp_path: Path) -> None:
    """And named, so that nobody wonders."""
    (folder / "events.jsonl").write_text('{"event": 1}\n')
    result = report(folder, "--to", tmp_path / "page", "--format", "markdown")
    assert result.exit_code == 1
    assert f"left out, since it holds no results: {folder / 'events.jsonl'}" in result.stderr
    assert result.stdout.startswith("## RNN conformance\n")


def test_an_empty_folder(tmp_path: Path) -> None:
    """Nothing to report is an error that says what was looked for, and nothing is written."""
    (tmp_path / "empty").mkdir()
    result = report(tmp_path / "empty", "--to", tmp_path / "page")
    assert result.exit_code == 2
    assert "no results files (*.jsonl) in" in result.stderr
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"suite": "0.2"}, "numpy.jsonl is of suite 0.1.0, {}torch.jsonl of suite 0.2"),
        ({"specification": "3.0"}, "numpy.jsonl is of specification 1.0, {}torch.jsonl of specification 3.0"),
        ({"schema": 2}, "torch.jsonl, line 1: schema 2; this version reads schema 3: read it with the version of the"),
    ],
)
def test_what_is_not_merged(folder: Path, tmp_path: Path, changes: dict[str, str], said: str) -> None:
    """Results of another schema, specification or suite are refused: both files and both versions are named."""
    (folder / "torch.jsonl").unlink()
    written(folder / "torch.jsonl", results(**changes))
    result = report(folder, "--to", tmp_path / "page")
    assert result.exit_code == 2
    assert one_line(said.format(f"{folder}/")) in one_line(result.stderr)


def test_damage_is_named_by_file_and_line(folder: Path, tmp_path: Path) -> None:
    """One damaged file of several is an error of one line, without a traceback, and nothing is written."""
    with (folder / "torch.jsonl").open("a") as file:
        file.write('{"record": "check"}\n')
    result = report(folder, "--to", tmp_path / "page")
    assert result.exit_code == 2
    assert f"{folder / 'torch.jsonl'}, line 6: there is more after the footer" in one_line(result.stderr)
    assert "Traceback" not in result.output
    assert not (tmp_path / "page").exists()


def test_an_error_sends_no_control_sequence(tmp_path: Path) -> None:
    """What a damaged file says is shown, also in the error that refuses it."""
    written(tmp_path / "a.jsonl", results("a", suite="\x1b[31m0.1"))
    written(tmp_path / "b.jsonl", results("b", suite="\x1b[32m0.2"))
    result = report(tmp_path, "--to", tmp_path / "page")
    assert result.exit_code == 2
    assert "\x1b" not in result.output
    assert "\\x1b[31m0.1" in result.stderr


def test_a_truncated_run_is_read_and_marked(folder: Path, tmp_path: Path) -> None:
    """Up to its end, with status 3, and every form says so."""
    path = folder / "numpy.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    for form, words in (
        ("pretty", "truncated"),
        ("markdown", "truncated"),
        ("junit", "cut short"),
        ("json", "truncated"),
    ):
        result = report(path, "--to", tmp_path / "page", "--format", form)
        assert result.exit_code == 3
        assert words in result.stdout
    assert "1 missing; truncated" in (tmp_path / "page" / "badges" / "numpy.json").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    """Where a file is in the way of the page, the error says so."""
    (tmp_path / "file").write_text("in the way")
    result = report(folder, "--to", tmp_path / "file" / "page")
    assert result.exit_code == 2
    assert str(tmp_path / "file") in result.stderr
    assert "Traceback" not in result.output


def test_a_run_whose_results_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that leaves damaged results did not work: status 3, file and line, no traceback."""
    path = written(tmp_path / "numpy.jsonl", replace(results("numpy", checks=[check()]), footer=None))
    with path.open("a") as file:
        file.write("a framework wrote this\n")
    monkeypatch.setattr("rnn_conformance.conformance.commands.run.run_all", lambda *_: [path])
    result = CliRunner().invoke(cli, ["run", "numpy", "--out", str(tmp_path)])
    assert result.exit_code == 3
    assert f"{path}, line 3: not JSON" in one_line(result.stderr)
    assert "Traceback" not in result.output
