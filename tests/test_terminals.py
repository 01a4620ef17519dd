"""What is printed in a narrow terminal, in ASCII, into a pipe and onto a full disk."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from example_results import check, results, written
from rich.console import Console

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.commands.main import COMMANDS, cli
from rnn_conformance.conformance.running.live import live_progress
from rnn_conformance.conformance.running.order import Progress

INSTALL = "pip install 'rnn-conformance[keras-tensorflow]'"


@pytest.fixture
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    known = registry.registered()
    shown = {n: replace(a, missing=() if n == "numpy" else ("keras", "tensorflow")) for n, a in known.items()}
    monkeypatch.setattr(registry, "registered", lambda: shown)


@pytest.mark.usefixtures("nothing_is_installed")
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["run", "--help"], 0),
        (["run"], 2),
        (["adapters"], 0),
        (["spec"], 0),
        (["spec", "99"], 2),
        (["deviations", "torch"], 0),
        (["deviations", "torch", "--format", "markdown"], 0),
        (["selftest", "--saved", "recurrent-kernel-transposed"], 0),
        (["selftest", "no-such-mutant"], 2),
        (["report", "a.jsonl", "--to", "site"], 1),
        (["report", "a.jsonl", "--to", "site", "--format", "markdown"], 1),
        (["report", "a.jsonl", "--to", "site", "--format", "junit"], 1),
        (["compare", "a.jsonl", "b.jsonl"], 1),
        (["compare", "a.jsonl", "b.jsonl", "--format", "markdown"], 1),
        (["replay", "a.jsonl"], 2),
    ],
)
def test_forty_columns_in_ascii(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int
) -> None:
    """Every command prints what it has to, and ends as it would elsewhere."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "a.jsonl", results(checks=[check(), check("2.1", "fails", message="1 ≠ 2 — Ωmega, naïve")]))
    written(tmp_path / "b.jsonl", results(checks=[check(verdict="fails", message="wrong"), check("2.1")]))
    result = CliRunner(charset="ascii", env={"COLUMNS": "40"}).invoke(cli, arguments)
    assert result.exit_code == status, result.output
    assert isinstance(result.exception, (SystemExit, type(None)))
    assert result.output.strip()


def test_symbols_in_plain_letters(tmp_path: Path) -> None:
    """What an encoding lacks has a letter in its place; files are in UTF-8 all the same."""
    written(tmp_path / "a.jsonl", results(checks=[check(verdict="fails", message="1 ≠ 2 — naïve, Ω → ∞")]))
    options = ["report", str(tmp_path / "a.jsonl"), "--to", str(tmp_path / "site")]
    pretty = CliRunner(charset="ascii").invoke(cli, options)
    assert "x fails: " in pretty.stdout
    assert "1 != 2 - naive, ? -> ?" in pretty.stdout
    printed = CliRunner(charset="ascii").invoke(cli, [*options, "--format", "markdown"])
    assert "naïve, Ω → ∞" in printed.stdout_bytes.decode("utf-8")


@pytest.mark.usefixtures("nothing_is_installed")
@pytest.mark.parametrize("columns", ["40", "80"])
def test_command_to_install_is_not_cut(columns: str) -> None:
    """It stands on a line of its own, to be copied."""
    result = CliRunner(env={"COLUMNS": columns}).invoke(cli, ["adapters"])
    assert f"\n  {INSTALL}\n" in result.stdout
    assert "\nflax-linen: needs keras, tensorflow\n  pip install" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "row"),
    [
        (["selftest", "--saved", "recurrent-kernel-transposed"], "mutant: recurrent-kernel-transposed"),
        (["spec", "6.3"], "6.3     Weights"),
    ],
)
def test_tables_are_not_cut(arguments: list[str], row: str) -> None:
    """A table of many columns is a list where it does not fit; one of few is folded."""
    printed = CliRunner(env={"COLUMNS": "40"}).invoke(cli, arguments).stdout
    assert row in printed
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= 40


def test_commands_to_copy_are_whole(tmp_path: Path) -> None:
    """How to run an example again, or a deviation, stands on one line however narrow the terminal is."""
    again = "rnn-conformance replay witnesses/torch--test_recurrence--float32-eager.json"
    failing = check(verdict="fails", message="wrong", replay=again, witness_file=again.split()[-1])
    written(tmp_path / "a.jsonl", results(checks=[failing]))
    narrow = CliRunner(env={"COLUMNS": "40"})
    shown = narrow.invoke(cli, ["report", str(tmp_path / "a.jsonl"), "--to", str(tmp_path / "site")]).stdout
    assert f"{tmp_path}/{again.split()[-1]}\n" in shown
    told = narrow.invoke(cli, ["deviations", "keras-jax-padded-outputs-from-a-state-backward"]).stdout
    assert "\n  again: rnn-conformance replay keras-jax-padded-outputs-from-a-state-backward\n" in told


@pytest.mark.usefixtures("nothing_is_installed")
def test_run_without_a_framework(tmp_path: Path) -> None:
    """The NumPy reference alone says nothing: the command ends with status 2, and says what to install."""
    result = CliRunner().invoke(cli, ["run", "--out", str(tmp_path / "report")])
    assert result.exit_code == 2
    assert "no framework is installed" in result.stderr
    assert f"\n  {INSTALL}\n" in result.stderr
    assert not (tmp_path / "report").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("arguments", [["spec"], ["--help"], ["adapters"], ["spec", "1.1", "--format", "markdown"]])
def test_output_onto_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """An error of one line, and status 3."""
    full = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115 - closing it is an error, too
    monkeypatch.setattr(sys, "stdout", full)
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments, prog_name="rnn-conformance")
    sys.stdout.close()
    with suppress(OSError):
        full.close()
    assert ended.value.code == 3
    assert capsys.readouterr().err == "Error: No space left on device\n"


@pytest.mark.parametrize("folder", ["/dev/null/report", "full"])
def test_report_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """A folder that cannot be made, and a disk that is full when the page is written, are told with their name."""
    page = str(tmp_path / "full" / "index.html")

    def full(*arguments: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device", page)

    monkeypatch.setattr("rnn_conformance.conformance.commands.report.write_site", full)
    monkeypatch.setattr("rnn_conformance.conformance.commands.run.run_all", lambda *_: [tmp_path / "a.jsonl"])
    written(tmp_path / "a.jsonl", results(checks=[check()]))
    result = CliRunner().invoke(cli, ["run", "numpy", "--out", str(tmp_path / folder)])
    assert result.exit_code == 3
    assert result.stderr in (
        f"Error: {page}: No space left on device\n",
        f"Error: {folder}: Not a directory\n",
    )


@pytest.mark.slow
def test_help_needs_click_alone() -> None:
    """--version and --help import no command; one whose library is missing says what to install."""
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from rnn_conformance.conformance.commands.main import COMMANDS, DESK, cli\n"
        "for option in ('--version', '--help'):\n"
        "    assert CliRunner().invoke(cli, [option]).exit_code == 0\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {*DESK, 'numpy', 'hypothesis'}, loaded\n"
        "sys.modules['rich'] = None\n"
        "for command in COMMANDS:\n"
        "    result = CliRunner().invoke(cli, [command, '--help'])\n"
        "    print(command, result.exit_code, result.stderr.rpartition('Error: ')[2].strip(), sep='|')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = [line.split("|") for line in done.stdout.splitlines()]
    assert [name for name, _, _ in told] == list(COMMANDS)
    assert {status for _, status, _ in told} == {"0", "2"}
    for name, status, said in told:
        assert status == "0" or said == f"{name} needs rich: pip install 'rnn-conformance[desk]'"


def test_list_of_commands() -> None:
    """Each is there, and its line in the list is how its own help begins."""
    with click.Context(cli) as context:
        for name, line in COMMANDS.items():
            command = cli.get_command(context, name)
            assert command is not None
            assert command.name == name
            assert (command.help or "").startswith(line.removesuffix("."))


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def shown(request: pytest.FixtureRequest) -> Callable[..., str]:
    def show(*steps: Progress) -> str:
        console = Console(file=io.StringIO(), force_terminal=request.param, width=40, color_system=None)
        with live_progress(console, ["torch"]) as report:
            for step in steps:
                report(step)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    return show


def test_failures_are_shown_as_they_come(shown: Callable[..., str]) -> None:
    """A line for each, whole even where the terminal is narrow: who, which clauses, which check and what."""
    fails = check("1.1", "fails", message="outputs[0] = 1, but should be 2 — matches \x1b[31m [red] \nand so on")
    first = Progress("torch", 2, 9, "test_b", found=[check("2.1"), fails])
    printed = shown(first, Progress("torch", 9, 9, "", finished=True))
    line = "✗ torch fails (1.1): test_values.py::test_1_1[float32-eager]: outputs[0] = 1, but should be 2 — matches"
    assert f"{line} \\x1b[31m [red]" in printed
    assert printed.count("torch fails") == 1
    assert "and so on" not in printed
    assert "2_1" not in printed
