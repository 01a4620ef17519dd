"""The selftest: mutants are tried, what notices them is told, and the score is of the present catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rnn_conformance.conformance import commands_selftest, selftest
from rnn_conformance.conformance.mutants import catalogue, digest
from rnn_conformance.conformance.results import saved_score
from rnn_conformance.conformance.selftest import Kill, Trial, checks, clauses_of, in_turn, score, try_mutant
from rnn_conformance.reference.spec import specification

NOTICED = Kill("1.1", "test_values.py::test_recurrence[float32]", "outputs[0] = 1, but should be 2")


def trial(seed: int, *kills: Kill, examples: int = 10, seconds: float = 0.5) -> Trial:
    return Trial("bias-twice", seed, kills, examples, seconds)


def test_checks_come_in_the_order_of_the_specification() -> None:
    """Every check that cites a clause is there; observations, which cannot fail, are not."""
    order = list(specification().clauses)
    firsts = [order.index(clauses_of(function)[0]) for function in checks().values()]
    assert firsts == sorted(firsts)
    assert "test_values.py::test_recurrence" in checks()
    assert not any(name.startswith("test_observations") for name in checks())


def test_checks_of_the_broken_clauses_come_first() -> None:
    """Then come all the others, each once."""
    turn = [name for name, _ in in_turn(catalogue()["never-reset"])]
    assert "3.8" in clauses_of(checks()[turn[0]])
    assert sorted(turn) == sorted(checks())


def test_mutant_is_noticed() -> None:
    """The first check that fails ends the trial; its message, its clause and what it cost are told."""
    tried = try_mutant("bias-twice", 0, "smoke")
    (kill,) = tried.kills
    assert (kill.clause, kill.check) == ("1.1", "test_values.py::test_recurrence[float32]")
    assert "should be" in kill.message
    assert tried.examples > 0
    assert tried.broken == ()


def test_mutant_that_nothing_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """It survives: there is no kill, though checks were run."""

    def blind(check: Any) -> None:
        check.example(lambda: True)

    blind.pytestmark = [pytest.mark.clause("1.1").mark]  # type: ignore[attr-defined]
    monkeypatch.setattr(selftest, "checks", lambda: {"test_blind.py::test_blind": blind})
    tried = try_mutant("bias-twice", 0, "smoke")
    assert (tried.kills, tried.examples) == ((), 2)


def test_broken_check_is_no_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the suite is told apart: it would not have been a failure of the subject."""

    def broken(check: Any) -> None:
        raise ZeroDivisionError

    broken.pytestmark = [pytest.mark.clause("1.1", dtypes=("float64",)).mark]  # type: ignore[attr-defined]
    monkeypatch.setattr(selftest, "checks", lambda: {"test_broken.py::test_broken": broken})
    tried = try_mutant("bias-twice", 0, "smoke")
    assert tried.kills == ()
    assert "ZeroDivisionError" in tried.broken[0]
    assert tried.broken[0].startswith("test_broken.py::test_broken[float64]")


def test_score_of_several_seeds() -> None:
    """A mutant counts as killed if each seed noticed it; examples and seconds are medians."""
    kills = [trial(seed, NOTICED, examples=10 * seed, seconds=seed) for seed in (1, 2, 3)]
    measured = score(kills, "default")
    assert (measured["killed"], measured["of"], measured["seeds"]) == (1, 1, [1, 2, 3])
    (row,) = measured["mutants"]
    assert (row["clause"], row["check"], row["examples"], row["seconds"]) == ("1.1", NOTICED.check, 20, 2)
    with_survivor = score([*kills, trial(4)], "default")
    assert with_survivor["killed"] == 0
    assert with_survivor["mutants"][0]["survives"] == [4]


def command(*arguments: str) -> Any:
    return CliRunner().invoke(commands_selftest.selftest, list(arguments))


def test_command_in_processes_of_its_own(tmp_path: Path) -> None:
    """The score is printed and saved, and the exit status is 0 where all are noticed."""
    saved = tmp_path / "detection.json"
    result = command(
        "bias-twice", "--profile", "smoke", "--seeds", "2", "--jobs", "1", "--save", str(saved), "--format", "json"
    )
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert measured == json.loads(saved.read_text())
    assert measured["catalogue"] == digest()
    assert [(row["mutant"], row["killed"], row["seeds"]) for row in measured["mutants"]] == [("bias-twice", 2, 2)]


@pytest.mark.parametrize("form", ["pretty", "markdown"])
def test_survivor_fails_the_command(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status is 1, and the table says with which seed it survives."""

    def survives(
        mutants: Sequence[str], seeds: Sequence[int], profile: str, jobs: int, every: bool, report: Callable[..., None]
    ) -> list[Trial]:
        return [trial(0)]

    monkeypatch.setattr(commands_selftest, "run_trials", survives)
    result = command("bias-twice", "--format", form)
    assert result.exit_code == 1
    assert "survives" in result.stdout
    assert "seed 0" in result.stdout
    assert "0 of 1 mutants noticed" in result.stdout


def test_unknown_mutant() -> None:
    """The error names the themes that there are."""
    result = command("no-such-fault")
    assert result.exit_code == 2
    assert "there is no mutant and no theme 'no-such-fault'; the themes are values, " in " ".join(result.output.split())


def test_saved_score_is_of_the_present_catalogue() -> None:
    """The score that the reports show was measured on these mutants, with 20 seeds, and none survived."""
    measured = saved_score()
    assert measured["catalogue"] == digest(), (
        "run: rnn-conformance selftest --seeds 20 --save conformance/detection.json"
    )
    assert measured["specification"] == specification().version
    assert [row["mutant"] for row in measured["mutants"]] == list(catalogue())
    assert measured["seeds"] == list(range(20))
    assert measured["killed"] == measured["of"]


def test_saved_score_is_printed_without_a_run() -> None:
    """The page in docs/ is the saved score, and a theme gives a part of it."""
    everything = command("--saved", "--format", "markdown")
    assert everything.exit_code == 0, everything.output
    page = Path(__file__).parents[1].joinpath("docs", "detection.md").read_text(encoding="utf-8")
    assert page.endswith(everything.stdout), "run: rnn-conformance selftest --saved --format markdown"
    some = json.loads(command("masks", "--saved", "--format", "json").stdout)
    assert {row["theme"] for row in some["mutants"]} == {"masks"}
    assert some["killed"] == some["of"] == len(some["mutants"])
