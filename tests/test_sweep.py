"""A sweep runs each environment once, keeps what it finds, and goes on where it was cut off; a bisection needs few."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

pytest.importorskip("unearth")
pytest.importorskip("uv")

from sweeping import ASKED, Here, as_data, asked, index, made_of, resolved, versions_of

from rnn_conformance.conformance.sweeping import plan as planning
from rnn_conformance.conformance.sweeping import sweep as sweeping
from rnn_conformance.conformance.sweeping.bisect import Answer, Bisection, Question
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.indexes import Indexes
from rnn_conformance.conformance.sweeping.job import RESULTS, Job, Made, Skipped
from rnn_conformance.conformance.sweeping.places import Engine
from rnn_conformance.conformance.sweeping.plan import Point, Span, in_order, plan
from rnn_conformance.conformance.sweeping.searching import History, NoChange
from rnn_conformance.conformance.sweeping.sweep import Progress, job_of, run_all

QUIET: Callable[[Progress], object] = lambda step: None  # noqa: E731


@pytest.fixture(autouse=True)
def small_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index of sweeping.py in place of a real one."""
    monkeypatch.setattr(planning, "files_of", lambda name, indexes: index(name))
    monkeypatch.setattr(planning, "lock", resolved)
    monkeypatch.setattr(sweeping, "lock", resolved)


def points(*packages: str) -> list[Point]:
    return in_order(plan("keras-jax", Span(packages, date(2024, 1, 5)), Indexes(), "3.11"), packages)


def job(locked: str = "keras==3.1.0\n") -> Job:
    return ASKED.job(locked)


def engine(verdict: Callable[[dict[str, str]], str], folder: Path) -> tuple[Engine, Here]:
    """An engine in which a job comes to a verdict by its versions; an empty verdict is a job that is skipped."""

    def answer(job: Job) -> Made | Skipped:
        versions = versions_of(job)
        told = verdict(versions)
        return made_of(versions, told, folder) if told else Skipped("import", "no module named jax")

    here = Here(answer)
    return Engine(here), here


def test_digest_is_of_all_that_decides_results() -> None:
    """Another lock, clause, seed or timeout is another question; where packages come from is none."""
    assert job().digest == job().digest
    others = [
        job("keras==3.2.0\n"),
        asked(seed=1).job(job().locked),
        asked(timeout=7).job(job().locked),
        asked(cell="gru").job(job().locked),
        asked(python="3.12").job(job().locked),
    ]
    assert len({job().digest, *(each.digest for each in others)}) == 6
    assert asked(indexes=Indexes("https://example.org")).job(job().locked).digest == job().digest


def test_second_sweep_costs_nothing(tmp_path: Path) -> None:
    """What was run is found again; the same environment is run once, whatever releases it is of."""
    cache = Cache(tmp_path / "kept")
    at, here = engine(lambda versions: "conforms", tmp_path)
    run_all([job(), job(), job("keras==3.2.0\n")], at, cache, QUIET)
    assert len(here.ran) == 2
    steps: list[Progress] = []
    run_all([job(), job("keras==3.2.0\n")], at, Cache(tmp_path / "kept"), steps.append)
    assert len(here.ran) == 2
    assert (steps[0].kept, steps[0].to_run) == (2, 0)


def test_sweep_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    """A job that fails costs none of the others, and is run again, and only that."""
    cache, fails = Cache(tmp_path / "kept"), True

    def answer(job: Job) -> Made | Skipped:
        if fails and "3.1.0" in job.locked:
            raise OSError("No space left on device")
        return made_of(versions_of(job), "conforms", tmp_path)

    here = Here(answer)
    jobs = [job("keras==3.0.0\n"), job("keras==3.1.0\n"), job("keras==3.2.0\n")]
    with pytest.raises(OSError, match="No space left"):
        run_all(jobs, Engine(here), cache, QUIET)
    assert [cache.has(each) for each in jobs] == [True, False, True]
    fails = False
    run_all(jobs, Engine(here), cache, QUIET)
    assert [each.locked for each in here.ran[3:]] == ["keras==3.1.0\n"]


def test_skipped_is_kept_too_and_not_tried_again(tmp_path: Path) -> None:
    """With its last lines."""
    cache = Cache(tmp_path / "kept")
    at, here = engine(lambda versions: "", tmp_path)
    for _ in range(2):
        run_all([job()], at, cache, QUIET)
    assert len(here.ran) == 1
    assert cache.skipped(job()) == Skipped("import", "no module named jax")
    impossible = points("keras")[0].wanted
    pinned = type(impossible)(["keras==3.2.0", "jax==0.4.31"], date(2024, 6, 10), "3.11")
    assert job_of(ASKED, pinned, cache) == Skipped("resolve", "keras 3.2.0 needs jax<0.4.31")


def test_results_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Two people who share a folder may bring the same: the first stays. Nothing half-written is left."""
    cache = Cache(tmp_path)
    cache.keep(job(), made_of({"keras": "3.1.0"}, "conforms", tmp_path))
    first = cache.results(job()).read_bytes()
    cache.keep(job(), made_of({"keras": "3.1.0"}, "fails", tmp_path))
    assert cache.results(job()).read_bytes() == first
    assert [path.name for path in (tmp_path / job().digest).iterdir()] == [cache.results(job()).parent.name]
    assert as_data(cache.results(job()).with_name("question.json"))["backend"] == "keras-jax"


def test_results_of_another_processor_are_found_where_an_engine_is_elsewhere(tmp_path: Path) -> None:
    """Here they are run again: another processor may give other bits."""
    cache = Cache(tmp_path)
    environment = {"processor": "of-somebody-else", "python": "3.11.7"}
    cache.keep(job(), made_of({"keras": "3.1.0"}, "conforms", tmp_path, environment=environment))
    assert not cache.has(job())
    assert cache.has(job(), anywhere=True)
    assert cache.results(job()) == tmp_path / job().digest / "of-somebody-else" / RESULTS


def found(folder: Path, verdict: Callable[[dict[str, str]], str], *packages: str, ends: bool = True) -> Answer:
    """The answer of a bisection from the oldest point to the newest, or back from that."""
    history = points(*packages)
    at, _ = engine(verdict, folder)
    bisection = Bisection(ASKED, Question("1.1", "float32"), at, Cache(folder / "kept"), QUIET)
    return bisection.find(history, 0 if ends else None, len(history) - 1)


@pytest.mark.parametrize("ends", [True, False])
def test_bisect_names_the_release(tmp_path: Path, ends: bool) -> None:
    """Between two ends, or going back from the newest."""
    answer = found(tmp_path, lambda v: "fails" if v["keras"] >= "3.1.1" else "conforms", "keras", ends=ends)
    assert (answer.good.outcome, answer.bad.outcome) == ("conforms", "fails")
    assert answer.changed == {"keras": ("3.1.0", "3.1.1")}  # JAX, which was another on that day, has been held still
    assert answer.blamed == "keras"
    assert answer.is_exact


def test_bisect_tells_packages_apart(tmp_path: Path) -> None:
    """The day comes first, then package by package between the two: jax, not keras."""
    answer = found(tmp_path, lambda versions: "fails" if versions["jax"] >= "0.4.30" else "conforms", "keras")
    assert answer.changed == {"jax": ("0.4.20", "0.4.30")}
    assert answer.blamed == "jax"
    by_date = found(tmp_path / "again", lambda v: "fails" if v["jax"] >= "0.4.30" else "conforms", "keras", "jax")
    assert (by_date.bad.label, by_date.blamed) == ("jax 0.4.30", "jax")


def test_bisect_says_the_range_that_is_left(tmp_path: Path) -> None:
    """Where a release between the two cannot be run."""
    told = {"3.0.0": "conforms", "3.1.0": "", "3.1.1": "fails", "3.2.0": "fails"}
    answer = found(tmp_path, lambda versions: told[versions["keras"]], "keras")
    assert not answer.is_exact
    assert answer.hidden == ["keras 3.1.0"]


def test_bisect_between_equal_ends(tmp_path: Path) -> None:
    """There is nothing to find, and it says what there is."""
    with pytest.raises(NoChange, match="both ends are the same: conforms"):
        found(tmp_path, lambda versions: "conforms", "keras")


def history(outcomes: str) -> tuple[History, list[int]]:
    """A history of letters, of which "-" cannot be seen, and the places that were looked at."""
    looked: list[int] = []

    def look(place: int) -> str | None:
        looked.append(place)
        return None if outcomes[place] == "-" else outcomes[place]

    return History(len(outcomes), look), looked


def test_forty_releases_take_eight_looks() -> None:
    """Both ends, and six between them; wherever the change is."""
    for first in range(1, 40):
        halving, looked = history("g" * first + "b" * (40 - first))
        change = halving.between(0, 39)
        assert (change.last, change.first) == (first - 1, first)
        assert len(looked) <= 8


def test_what_cannot_be_seen_is_passed_over() -> None:
    """The two places between which the change is are seen, and what is hidden between them is told."""
    change = history("ggg-----bbb")[0].between(0, 10)
    assert (change.last, change.first, change.hidden) == (2, 8, [3, 4, 5, 6, 7])
    exact = history("g-g-gb--b")[0].between(0, 8)
    assert (exact.last, exact.first, exact.is_exact) == (4, 5, True)


def test_history_that_is_not_monotonic_is_told() -> None:
    """Fixed and broken again: one more look than needed, in the longest stretch of which nothing is known."""
    halving, _ = history("g" + "b" * 9 + "g" * 9 + "b")
    change = halving.between(0, 19)
    halving.look_once_more(change.last, change.first)
    turning = change.__class__(change.last, change.first, change.hidden, halving.seen)
    assert len(turning.turns) > 1


def test_going_back_in_longer_steps() -> None:
    """From the newest, in steps of 1, 2, 4 …, to the first place that is other."""
    back, looked = history("g" * 30 + "b" * 10)
    assert back.back_from(39) == 24
    assert looked == [39, 38, 36, 32, 24]
    with pytest.raises(NoChange, match="the same wherever it was looked at: b"):
        history("bbbb")[0].back_from(3)
