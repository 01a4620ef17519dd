"""Shards, seeds and processors of one backend come together: what is gravest counts, and where it was seen is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from example_results import check, failing, results, written
from in_this_process import workers_in_this_process

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.running.selection import Selection, numbers_of
from rnn_conformance.reports.documents.loading import load
from rnn_conformance.reports.overview.caveats import caveats
from rnn_conformance.reports.overview.summary import summarise
from rnn_conformance.reports.overview.wording import asked_for
from rnn_conformance.reports.records.merging import _GRAVITY, merged
from rnn_conformance.reports.records.records import VERDICTS, CheckRecord, Results

NAMES = [f"test_values.py::test_{name}[{dtype}-eager]" for name in "abcdefg" for dtype in ("float32", "float64")]


def part(folder: Path, shard: str, *checks: CheckRecord, **header: object) -> Results:
    """A part of a run, read from a folder of its own."""
    found = results(checks=list(checks), shard=shard, **header)
    (folder / shard.replace("/", "-")).mkdir(parents=True, exist_ok=True)
    written(folder / shard.replace("/", "-") / "torch.jsonl", found)
    return found


def test_shards_are_every_check_once() -> None:
    """Those of one function stay together; another number of shards divides otherwise."""
    for of in (1, 3, 8):
        shards = [Selection(shard=f"{number}/{of}").part_of(NAMES) for number in range(1, of + 1)]
        assert sorted(name for shard in shards for name in shard) == sorted(NAMES)
        for shard in shards:
            assert len(shard) % 2 == 0
    assert Selection().part_of(NAMES) == NAMES


@pytest.mark.parametrize("wrong", ["3", "0/8", "9/8", "a/b", "3/"])
def test_wrong_shards(wrong: str) -> None:
    """Say what a right one is."""
    with pytest.raises(ValueError, match="say 3/8 for the third of eight"):
        numbers_of(wrong)
    result = CliRunner().invoke(cli, ["run", "numpy", "--shard", wrong])
    assert result.exit_code == 2
    assert "say 3/8" in result.stderr


def test_shards_make_one_run(tmp_path: Path) -> None:
    """All of them are the whole; some of them are a part, which says so. Evidence is found where it lies."""
    part(tmp_path, "1/2", check("1.1"))
    part(tmp_path, "2/2", failing(clauses=["1.2"], check="test_values.py::test_1_2[float32-eager]"))
    (whole,) = load([tmp_path])
    assert [record.verdict for record in whole.checks] == ["conforms", "fails"]
    assert (whole.header.shard, whole.missing, asked_for(whole.header)) == ("", [], "")
    assert whole.footer is not None
    assert whole.checks[1].witness_file == "2-2/witnesses/torch--test_1_1--float32-eager.json"
    assert whole.checks[1].replay.endswith(f"replay {whole.checks[1].witness_file}")
    (half,) = load([tmp_path / "2-2"])
    assert asked_for(half.header) == "shard 2/2"


def test_truncated_shard_is_a_truncated_run(tmp_path: Path) -> None:
    """What it lacks is told."""
    part(tmp_path, "1/2", check("1.1"))
    part(tmp_path, "2/2", check("1.2"), planned=["gone", "test_values.py::test_1_2[float32-eager]"])
    (whole,) = load([tmp_path])
    assert whole.missing == ["gone"]


def test_gravest_of_seeds_and_processors_counts(tmp_path: Path) -> None:
    """And the page says where it was seen."""
    at = {"python": "3.12", "processor": "zen3"}
    runs = [
        results(checks=[check("1.1"), check("1.2")], seed=0, environment=at),
        results(checks=[failing(check=check("1.1").check), check("1.2")], seed=1, environment=at),
        results(checks=[check("1.1"), check("1.2")], seed=0, environment={**at, "processor": "haswell"}),
    ]
    (whole,) = merged(runs)
    assert [record.verdict for record in whole.checks] == ["fails", "conforms"]
    assert whole.checks[0].message.endswith("(seen with seed 1, on zen3)")
    assert whole.checks[1].examples == 300
    (backend,) = summarise([whole]).backends
    assert "brought together of seed 0, on haswell; seed 0, on zen3; seed 1, on zen3" in [
        caveat.text for caveat in caveats(backend)
    ]


def test_what_is_no_part_of_another_stays_apart() -> None:
    """Two runs of the same seed and processor, of other versions, or of another number of shards."""
    assert len(merged([results(), results()])) == 2
    assert len(merged([results(), results(versions={"torch": "2.0"}, seed=8)])) == 2
    assert len(merged([results(shard="1/2"), results(shard="2/3")])) == 2


def test_every_verdict_has_a_gravity() -> None:
    """So that the gravest of two can be told."""
    assert set(_GRAVITY) == set(VERDICTS)


@pytest.mark.slow
def test_sharded_run_equals_the_whole_one(tmp_path: Path) -> None:
    """`report` joins the shards of a folder, and `compare` says that nothing changed, not even a bit."""
    asked = ["numpy", "--profile", "smoke", "--only", "1", "--only", "4", "--no-cache"]
    with workers_in_this_process():
        runner = CliRunner()
        assert runner.invoke(cli, ["run", *asked, "--out", str(tmp_path / "whole")]).exit_code == 0
        for shard in ("1/3", "2/3", "3/3"):
            out = tmp_path / "shards" / shard[0]
            assert runner.invoke(cli, ["run", *asked, "--shard", shard, "--out", str(out)]).exit_code == 0
        paths = [str(tmp_path / name) for name in ("whole", "shards")]
        compared = runner.invoke(cli, ["compare", *paths, "--format", "json"])
        reported = runner.invoke(cli, ["report", paths[1], "--to", str(tmp_path / "site")])
    assert compared.exit_code == 0, compared.output
    assert reported.exit_code == 0, reported.output
    (comparison,) = json.loads(compared.stdout)["comparisons"]
    assert comparison["changes"] == []
    whole = load([tmp_path / "whole"])[0]
    assert comparison["checks"] == len(whole.checks)
