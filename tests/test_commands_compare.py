"""The command `compare`: which runs it brings together, how it ends, and how it helps where they cannot be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from example_results import check, fingerprint, results, written

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reports.records.records import CheckRecord, Worst
from rnn_conformance.reports.upgrades.change import KINDS

OLD = check(shares={"-5": 400}, fingerprints=[fingerprint(0.5)])
CHANGED = {
    "meaning": replace(OLD, verdict="fails", message="outputs[0] = 3.0, but should be 5.0"),
    "support": replace(OLD, verdict="unsupported", message="gone"),
    "accuracy": replace(OLD, shares={"-2": 400}),
    "bits": replace(OLD, fingerprints=[fingerprint(0.75)]),
}


def compared(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)])


def run(folder: Path, record: CheckRecord = OLD, adapter: str = "torch", **changes: Any) -> Path:
    """A results file in a folder."""
    folder.mkdir(exist_ok=True)
    return written(folder / f"{adapter}.jsonl", results(adapter, [record], **changes))


def test_nothing_changed(tmp_path: Path) -> None:
    """One line says so."""
    result = compared(run(tmp_path / "old"), run(tmp_path / "new"))
    assert result.exit_code == 0, result.output
    assert result.output == "torch 2.13.0: nothing changed (1 check, 1 frozen example)\n"


@pytest.mark.parametrize("kind", KINDS)
def test_fail_on(tmp_path: Path, kind: str) -> None:
    """Each kind fails by its own name and by "any"; by default what breaks a model does; "none" fails never."""
    old, new = run(tmp_path / "old"), run(tmp_path / "new", CHANGED[kind])
    assert compared(old, new).exit_code == (kind in ("meaning", "support"))
    for choice in (*KINDS, "any"):
        assert compared(old, new, "--fail-on", choice).exit_code == (choice in (kind, "any"))
    assert compared(old, new, *(word for each in KINDS for word in ("--fail-on", each))).exit_code == 1
    assert compared(old, new, "--fail-on", "none").exit_code == 0


@pytest.mark.parametrize("kind", ["meaning", "support", "accuracy"])
def test_what_got_better_does_not_fail(tmp_path: Path, kind: str) -> None:
    """Only "any" is about improvements too."""
    old, new = run(tmp_path / "old", CHANGED[kind]), run(tmp_path / "new")
    assert compared(old, new, *(word for each in KINDS for word in ("--fail-on", each))).exit_code == 0
    assert compared(old, new, "--fail-on", "any").exit_code == 1


def test_folders_are_matched_by_adapter(tmp_path: Path) -> None:
    """At any depth; an adapter that is in one of them only is listed, and is no reason to fail."""
    run(tmp_path / "old")
    run(tmp_path / "old", adapter="numpy")
    (tmp_path / "new").mkdir()
    run(tmp_path / "new" / "deep", CHANGED["bits"])
    run(tmp_path / "new" / "deep", adapter="jax-scan")
    result = compared(tmp_path / "old", tmp_path / "new")
    assert result.exit_code == 0
    assert "torch 2.13.0: bits 1 changed" in result.output
    joined = result.output.replace("\n", "")
    assert f"only in {tmp_path / 'old'}: numpy" in joined
    assert f"only in {tmp_path / 'new'}: jax-scan" in joined


def test_json(tmp_path: Path) -> None:
    """Everything is there, figures too, as plain JSON."""
    worst = Worst(float("inf"), float("inf"), "outputs[0]", "")
    old = run(tmp_path / "old", replace(OLD, worst=Worst(0.25, 1.0, "outputs[0]", "")))
    result = compared(old, run(tmp_path / "new", replace(CHANGED["accuracy"], worst=worst)), "--format", "json")
    found = json.loads(result.stdout, parse_constant=pytest.fail)
    (comparison,) = found["comparisons"]
    (change,) = comparison["changes"]
    assert (change["kind"], change["trend"], change["measured"]["worst"]) == ("accuracy", "worse", [0.25, "inf"])
    assert found["alone"] == {}
    assert found["refused"] == []


def test_markdown(tmp_path: Path) -> None:
    """A heading, a table of clauses, and the changes."""
    old = run(tmp_path / "old", versions={"torch": "2.12.0"})
    result = compared(old, run(tmp_path / "new", CHANGED["meaning"]), "--format", "markdown")
    assert result.exit_code == 1
    assert result.output.startswith(
        "## What changed\n\n**torch, torch 2.12.0 → 2.13.0**: meaning 1 worse (1 check, 1 frozen example).\n"
    )
    assert "| ✓ conforms | ✗ fails | 1 |" in result.output


def test_not_comparable(tmp_path: Path) -> None:
    """Status 2, with the reason; what can be compared is compared all the same."""
    run(tmp_path / "old")
    run(tmp_path / "old", adapter="numpy")
    run(tmp_path / "new", seed=8)
    run(tmp_path / "new", adapter="numpy")
    for form in ("pretty", "markdown", "json"):
        result = compared(tmp_path / "old", tmp_path / "new", "--format", form)
        assert result.exit_code == 2
        text = " ".join(result.output.split())
        assert "torch: not comparable" in text
        assert "another seed draws other cases" in text
        assert "nothing changed" in text


def test_two_files_of_two_adapters(tmp_path: Path) -> None:
    """Named one by one, they are meant to be compared, so the reason is given why not."""
    result = compared(run(tmp_path / "old"), run(tmp_path / "new", adapter="numpy"))
    assert result.exit_code == 2
    assert "these are two backends, not two versions of one" in " ".join(result.output.split())


def test_wrong_usage(tmp_path: Path) -> None:
    """Each ends with status 2 and says what to do."""
    old, empty, damaged = run(tmp_path / "old"), tmp_path / "empty", tmp_path / "damaged.jsonl"
    empty.mkdir()
    damaged.write_text("{}\n", encoding="utf-8")
    run(tmp_path / "other", adapter="numpy")
    written(tmp_path / "old" / "again.jsonl", results("torch"))
    for arguments, helps in (
        ((old, tmp_path / "no such file"), "does not exist"),
        ((old, empty), "no results files (*.jsonl) in"),
        ((old, damaged), "damaged.jsonl, line 1"),
        ((tmp_path / "old", tmp_path / "other"), "adapter torch comes twice"),
        ((old, tmp_path / "other", "--fail-on", "speed"), "'meaning', 'support', 'accuracy', 'bits', 'any', 'none'"),
        ((old, old, "--fail-on", "none", "--fail-on", "bits"), "--fail-on none goes with no other"),
        ((old, tmp_path / "other", "--fail-on", "none"), "no adapter is in both"),
    ):
        result = compared(*arguments)
        assert result.exit_code == 2, result.output
        assert helps in " ".join(result.stderr.split())


def test_an_error_sends_no_control_sequence(tmp_path: Path) -> None:
    """A name from a results file is shown, also in the error that it causes."""
    for folder in ("old", "other"):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder / "a.jsonl", results(f"\x1b[31m{folder}"))
    for again, helps in ((False, "no adapter is in both"), (True, "comes twice")):
        if again:
            written(tmp_path / "old" / "b.jsonl", results("\x1b[31mold"))
        result = compared(tmp_path / "old", tmp_path / "other")
        assert result.exit_code == 2
        assert "\x1b" not in result.output
        assert "\\x1b[31mold" in result.stderr
        assert helps in result.stderr


def test_a_wrong_histogram_is_no_traceback(tmp_path: Path) -> None:
    """What a results file holds is data, and may be wrong."""
    result = compared(run(tmp_path / "old"), run(tmp_path / "new", replace(OLD, shares={"large": 1})))
    assert result.exit_code == 2
    assert "torch.jsonl, line 2: shares are counted by exponents of two" in " ".join(result.output.split())
