"""The selftest: mutants are tried, what notices them is told, and the score is of the present catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rnn_conformance.conformance.checks.catalogue import checks, clauses_of, is_about
from rnn_conformance.conformance.commands import selftest as commands_selftest
from rnn_conformance.conformance.mutants.catalogue import catalogue, digests
from rnn_conformance.conformance.running.results import detection, saved
from rnn_conformance.conformance.selftest import trials as selftest
from rnn_conformance.conformance.selftest.diagnosing import diagnose_mutant
from rnn_conformance.conformance.selftest.measured import measured, save
from rnn_conformance.conformance.selftest.promises import PROMISES, candidates, noticed_by, promise_of, promises_of
from rnn_conformance.conformance.selftest.trials import Kill, Trial, in_turn, score, try_mutant
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
    assert sorted(turn) == sorted(name for name, check in checks().items() if is_about(check, "simple_rnn"))


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
    assert (tried.kills, tried.examples) == ((), 1)


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
    told = score(kills, "default")
    assert (told["killed"], told["of"], told["seeds"]) == (1, 1, [1, 2, 3])
    (row,) = told["mutants"]
    assert (row["clause"], row["check"], row["examples"], row["seconds"]) == ("1.1", NOTICED.check, 20, 2)
    with_survivor = score([*kills, trial(4)], "default")
    assert with_survivor["killed"] == 0
    assert with_survivor["mutants"][0]["survives"] == [4]


def command(*arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "120"}).invoke(commands_selftest.selftest, list(arguments))


@pytest.mark.slow
def test_command_in_processes_of_its_own(tmp_path: Path) -> None:
    """The score is printed and saved, and the exit status is 0 where all are noticed."""
    file = tmp_path / "detection.json"
    result = command(
        "bias-twice", "--profile", "smoke", "--seeds", "2", "--jobs", "1", "--save", str(file), "--format", "json"
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told == json.loads(file.read_text())
    assert [row["digest"] for row in told["mutants"]] == [digests()["bias-twice"]]
    assert [(row["mutant"], row["killed"], row["seeds"]) for row in told["mutants"]] == [("bias-twice", 2, 2)]


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


def test_mutants_of_one_cell() -> None:
    """A cell picks those that are tried in its own runs; a theme of another cell has none of them."""
    of_cell = json.loads(command("--cell", "simple_rnn", "--saved", "--format", "json").stdout)
    assert {row["cell"] for row in of_cell["mutants"]} == {"simple_rnn"}
    result = command("values", "--cell", "gru", "--saved")
    assert result.exit_code == 2
    assert "none of these mutants is of the cell gru" in " ".join(result.output.split())


def test_unknown_mutant() -> None:
    """The error names the themes that there are."""
    result = command("no-such-fault")
    assert result.exit_code == 2
    assert "there is no mutant and no theme 'no-such-fault'; the themes are values, " in " ".join(result.output.split())


DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("what", ["detection", "diagnosis", "promises"])
def test_what_is_saved_is_of_the_present_catalogue(what: str) -> None:
    """What the reports and the pages of docs/ show was measured on these mutants."""
    found = saved(what)
    how = {"detection": "--seeds 20", "diagnosis": "--diagnose", "promises": "--alone"}[what]
    assert {row["mutant"]: row["digest"] for row in found["mutants"]}.items() <= digests().items(), (
        f"run: rnn-conformance selftest {how} --save conformance/selftest/{what}.json"
    )
    assert found["specification"] == specification().version
    assert found == {**measured(what, found["mutants"], found["profile"], found["seeds"]), "digest": found["digest"]}


def test_every_mutant_is_noticed() -> None:
    """With each of 20 seeds, in the default profile."""
    score_saved = saved("detection")
    assert [row["mutant"] for row in score_saved["mutants"]] == list(catalogue())
    for row in score_saved["mutants"]:
        assert (row["killed"], row["seeds"], row["survives"]) == (20, 20, []), row["mutant"]
    assert (score_saved["profile"], score_saved["seeds"]) == ("default", list(range(20)))
    assert score_saved["killed"] == score_saved["of"]


def test_a_report_claims_no_more_seeds_than_each_fault_was_tried_with() -> None:
    """Lines that were measured at different times can be of different numbers of seeds: the smallest counts."""
    tried = {row["seeds"] for row in saved("detection")["mutants"]}
    assert detection()["seeds"] == min(tried)


def test_nearly_every_mutant_is_named() -> None:
    """The diagnosis of at least 95 % of those that were tried, run as if they were unknown, names that fault."""
    found = saved("diagnosis")
    tried = [row["mutant"] for row in found["mutants"]]
    assert tried == [name for name in catalogue() if name in tried]
    assert len(tried) > len(catalogue()) / 2
    assert found["named"] >= 0.95 * found["of"]


def test_every_promise_has_faults_of_its_own() -> None:
    """For each promise there is a mutant that only its checks notice."""
    found = saved("promises")
    assert {row["mutant"] for row in found["mutants"]} <= set(candidates())
    assert {row["promise"] for row in found["mutants"]} - {""} == set(PROMISES)
    for row in found["mutants"]:
        assert not row["promise"] or all(row["promise"] in promises_of(check) for check in row["checks"])


@pytest.mark.parametrize(
    ("what", "options"), [("detection", ()), ("diagnosis", ("--diagnose",)), ("promises", ("--alone",))]
)
def test_what_is_saved_is_printed_without_a_run(what: str, options: tuple[str, ...]) -> None:
    """The page in docs/ is what was saved, and a theme gives a part of it."""
    everything = command(*options, "--saved", "--format", "markdown")
    assert everything.exit_code == 0, everything.output
    page = (DOCS / f"{what}.md").read_text(encoding="utf-8")
    assert page.endswith(everything.stdout), (
        f"run: rnn-conformance selftest {' '.join(options)} --saved --format markdown"
    )
    some = json.loads(command("masks", *options, "--saved", "--format", "json").stdout)
    assert {row["theme"] for row in some["mutants"]} == {"masks"}
    assert some["of"] == len(some["mutants"])


def test_kinds_of_faults() -> None:
    """Each family and each theme that is no family, with what notices its faults first."""
    page = command("lengths", "--saved", "--format", "markdown").stdout
    _, table = page.split("| kind of fault |")
    kinds = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines()[2:-2]}
    theme = kinds["mutants that are wrong about lengths which are seldom drawn: all alike, one, or none"]
    assert "test_sequence_without_a_timestep (" in theme
    assert "what is masked is read, or what is valid is not" in kinds
    assert not any("memory" in kind for kind in kinds)


def test_every_clause_belongs_to_one_promise_or_to_the_forward_pass() -> None:
    """A chapter, or a clause of one; and every promise has clauses and checks."""
    assert promise_of("9.4") == promise_of("5.3") == "Lengths and masks"
    assert promise_of("11.10") == "Gradients"
    assert promise_of("11.9") == "Vanishing and exploding gradients"
    assert promise_of("1.1") == "The forward pass"
    assert {promise_of(clause) for clause in specification().clauses} == {*PROMISES, "The forward pass"}
    assert set(PROMISES) <= {promise for check in checks() for promise in promises_of(check)}


def test_what_a_check_notices() -> None:
    """Of several mutants at once, those that it notices when it is run on each of them."""
    mutants = ["extra-features-cut-off", "initial-state-cut-off", "bias-twice"]
    assert noticed_by("test_refusals.py::test_wrong_number_of_features", mutants, 0, "smoke") == mutants[:1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("bias-negated", "mask-ignored"),
        *("input-and-forget-gate-exchanged", "carried-state-lost-at-once"),
        *("update-and-reset-gate-exchanged", "state-of-agru-never-carried"),
    ],
)
def test_diagnosis_of_a_mutant(name: str) -> None:
    """Run as if it were an unknown backend, it is like itself alone."""
    assert diagnose_mutant(name, "smoke", 0)["alike"] == [name]


def test_lines_of_other_mutants_stay(tmp_path: Path) -> None:
    """As long as these have not changed since, and were measured in the same way."""
    file = tmp_path / "diagnosis.json"

    def told(*names: str, profile: str = "default") -> dict[str, Any]:
        rows = [{"mutant": name, "theme": catalogue()[name].theme, "check": "", "alike": [name]} for name in names]
        return measured("diagnosis", rows, profile, [0])

    save(file, "diagnosis", told("never-reset"))
    save(file, "diagnosis", told("bias-twice"))
    together = json.loads(file.read_text())
    assert [row["mutant"] for row in together["mutants"]] == ["bias-twice", "never-reset"]
    assert (together["named"], together["of"]) == (2, 2)
    with pytest.raises(ValueError, match="measured with profile default and 1 seeds: measure with the same"):
        save(file, "diagnosis", told("bias-missing", profile="smoke"))
    together["mutants"][1]["digest"] = "00000000"
    file.write_text(json.dumps(together))
    save(file, "diagnosis", told("bias-missing"))
    assert [row["mutant"] for row in json.loads(file.read_text())["mutants"]] == ["bias-twice", "bias-missing"]


@pytest.mark.parametrize("options", [("--alone", "--diagnose"), ("--all", "--alone"), ("--diagnose", "--seeds", "2")])
def test_questions_exclude_one_another(options: tuple[str, ...]) -> None:
    """The error says which."""
    result = command(*options)
    assert result.exit_code == 2
    assert "exclude one another" in " ".join(result.output.split())
