"""Where there are more processors than runs, a run is done in parts, side by side: what is found is one run's."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from click.testing import CliRunner
from example_results import check, failing, results, written

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.running import parts, supervisor
from rnn_conformance.conformance.running.order import Order, Progress, Report
from rnn_conformance.conformance.running.parts import processes_that_fit, shards_of
from rnn_conformance.conformance.running.selection import EVERYTHING, Selection
from rnn_conformance.reports.records.records import CheckRecord, Results, read

JOBS = 2


def order_into(folder: Path) -> Order:
    return Order("smoke", 7, EVERYTHING, 1, 600, folder)


def found_by_shard(monkeypatch: pytest.MonkeyPatch, found: dict[str, Results | None]) -> None:
    """Let a run find these of each shard, of which there are two; of one that has none, it is interrupted."""

    def run_one(order: Order, adapter: str, report: Report, stop: Event) -> None:
        here = found[order.asked.shard]
        if here is None:
            raise KeyboardInterrupt
        order.log(adapter).write_text(f"it said {order.asked.shard}\n")
        written(order.results(adapter), here)
        report(Progress(adapter, len(here.checks), len(here.header.planned), "", here.checks, finished=True))

    monkeypatch.setattr(supervisor, "run_one", run_one)
    monkeypatch.setattr(supervisor, "processes_that_fit", lambda jobs: jobs)


def shard(number: int, *checks: CheckRecord) -> Results:
    return results(checks=list(checks), profile="smoke", shard=f"{number}/{JOBS}")


FIRST = "test_values.py::test_recurrence[float32-eager]"
LATER = "test_masks.py::test_final_state_under_a_mask[float32-eager]"


@pytest.mark.slow
def test_run_in_parts_equals_the_whole_one(tmp_path: Path) -> None:
    """The same checks in the same order, of which `compare` says that nothing changed; nothing else is left."""
    options = ["--profile", "smoke", "--only", "1", "--only", "4"]
    for jobs in (1, JOBS):
        to = ["--jobs", str(jobs), "--out", str(tmp_path / str(jobs))]
        assert CliRunner().invoke(cli, ["run", "numpy", *options, *to]).exit_code == 0
    compared = CliRunner().invoke(cli, ["compare", str(tmp_path / "1"), str(tmp_path / str(JOBS))])
    assert compared.exit_code == 0, compared.output
    assert "nothing changed" in compared.stdout
    whole, in_parts = (read(tmp_path / f"{jobs}" / "numpy.jsonl") for jobs in (1, JOBS))
    assert [record.check for record in in_parts.checks] == [record.check for record in whole.checks]
    assert (in_parts.header.planned, in_parts.header.shard) == (whole.header.planned, "")
    names = [sorted(path.name for path in (tmp_path / f"{jobs}").iterdir()) for jobs in (1, JOBS)]
    assert names[0] == names[1]


def test_parts_are_brought_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the specification, with all that their processes said."""
    found_by_shard(monkeypatch, {"1/2": shard(1, check(check=LATER)), "2/2": shard(2, failing(check=FIRST))})
    steps: list[Progress] = []
    (path,) = supervisor.run_all([order_into(tmp_path)], ["torch"], JOBS, steps.append)
    one = read(path)
    assert [record.check for record in one.checks] == one.header.planned == [FIRST, LATER]
    assert (one.header.shard, one.footer is not None) == ("", True)
    assert path.with_suffix(".log").read_text() == "it said 1/2\nit said 2/2\n"
    assert not path.with_suffix(".parts").exists()
    assert [(step.done, step.planned, step.finished) for step in steps] == [(1, 0, False), (2, 2, True)]


def test_interrupted_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one had found is there, and the run is told as one that was cut short."""
    found_by_shard(monkeypatch, {"1/2": shard(1, check(check=LATER)), "2/2": None})
    order = order_into(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        supervisor.run_all([order], ["torch"], JOBS, lambda step: None)
    one = read(order.results("torch"))
    assert [record.check for record in one.checks] == [LATER]
    assert (one.header.shard, one.footer) == ("", None)
    assert not order.parts("torch").exists()


def test_part_that_never_came_to_describe_its_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a part of the same run all the same."""
    broken = results(
        checks=[check(verdict="broken", check="adapter", clauses=[])],
        profile="smoke",
        shard="2/2",
        framework="torch",
        versions={},
        description={},
    )
    found_by_shard(monkeypatch, {"1/2": shard(1, check(check=LATER)), "2/2": broken})
    (path,) = supervisor.run_all([order_into(tmp_path)], ["torch"], JOBS, lambda step: None)
    one = read(path)
    assert one.header.versions == {"torch": "2.13.0"}
    assert [record.verdict for record in one.checks] == ["conforms", "broken"]


def test_what_a_killed_run_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then `report` finds it, as it finds any shards."""
    found_by_shard(monkeypatch, {"1/2": shard(1, check(check=LATER)), "2/2": shard(2, check(check=FIRST))})
    order = order_into(tmp_path)
    left = order.parts("torch") / "0" / "torch.jsonl"
    left.parent.mkdir(parents=True)
    written(left, shard(1, failing(check=LATER)))
    found = CliRunner().invoke(cli, ["report", str(tmp_path), "--to", str(tmp_path / "site"), "--format", "junit"])
    assert 'failures="1"' in found.stdout
    (path,) = supervisor.run_all([order], ["torch"], JOBS, lambda step: None)
    assert [record.verdict for record in read(path).checks] == ["conforms", "conforms"]


def test_few_checks_are_not_cut() -> None:
    """Another start of a framework takes longer; nor is what is one shard already."""
    assert shards_of(Selection(["1.1"]), "smoke", "lstm", 8, fewest=8) == [Selection(["1.1"])]
    assert shards_of(Selection(shard="3/8"), "smoke", "lstm", 8) == [Selection(shard="3/8")]
    assert [each.shard for each in shards_of(EVERYTHING, "smoke", "lstm", 3, fewest=8)] == ["1/3", "2/3", "3/3"]


def test_processes_that_memory_is_there_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four gigabytes each; where a system does not tell how much it has, all that are asked for."""
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 9 * 2**30 // 4096}
    monkeypatch.setattr(parts.os, "sysconf", pages.__getitem__, raising=False)
    assert [processes_that_fit(jobs) for jobs in (1, 2, 16)] == [1, 2, 2]
    monkeypatch.delattr(parts.os, "sysconf")
    assert processes_that_fit(16) == 16
