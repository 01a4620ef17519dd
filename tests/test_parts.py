"""What an engine is given in parts comes to what one piece comes to; jobs are started the longest first."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("unearth")
pytest.importorskip("uv")

from in_this_process import workers_in_this_process
from sweeping import ASKED, Here, asked, made_of, versions_of

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.results import EVIDENCE
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.running.supervisor import run_all as run_here
from rnn_conformance.conformance.running.turns import SECONDS
from rnn_conformance.conformance.selftest.trials import try_mutant
from rnn_conformance.conformance.selftest.worker import main, read
from rnn_conformance.conformance.sweeping import engines
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.installed import installed_lock
from rnn_conformance.conformance.sweeping.job import RESULTS, Job, Made, Skipped
from rnn_conformance.conformance.sweeping.parts import parts_of, run_in_parts
from rnn_conformance.conformance.sweeping.places import Engine
from rnn_conformance.conformance.sweeping.trying import Task, try_in_parts
from rnn_conformance.conformance.sweeping.turns import expected_seconds, longest_first
from rnn_conformance.reports.documents.loading import load
from rnn_conformance.reports.records import records

WHOLE = Job("numpy", "simple_rnn", "smoke", 0, Selection(["1", "4"]), 3000, "numpy==2.4\n", sys.executable)

SOAK = replace(WHOLE, profile="soak", seeds=2, asked=Selection(["4"]))
"""A job that goes through two seeds."""


def run_job_here(job: Job, folder: Path) -> Made:
    """What the job comes to, run by this process and in its environment."""
    order = Order(job.profile, job.seed, job.asked, job.seeds, job.timeout, folder, cell=job.cell)
    (path,) = run_here([order], [job.adapter], 1, lambda step: None)
    evidence = [file for name in EVIDENCE for file in (folder / name).glob("*")]
    found: Mapping[str, bytes] = {file.relative_to(folder).as_posix(): file.read_bytes() for file in evidence}
    return Made({RESULTS: path.read_bytes(), **found})


@pytest.mark.slow
@pytest.mark.parametrize("asked", [WHOLE, SOAK], ids=["smoke", "soak"])
def test_run_in_parts_equals_the_whole_one(asked: Job, tmp_path: Path) -> None:
    """Its checks are in the same order, and `compare` says that nothing changed; what parts leave is gone."""
    with workers_in_this_process():
        here = Here(lambda job: run_job_here(job, tmp_path / "job" / job.digest))
        (path,) = run_in_parts([asked], 3, Engine(here), tmp_path / "parts", lambda step: None)
        whole = tmp_path / "whole"
        order = Order(asked.profile, 0, asked.asked, asked.seeds, 3000, whole)
        (at_once,) = run_here([order], ["numpy"], 1, lambda step: None)
        compared = CliRunner().invoke(cli, ["compare", str(at_once), str(path), "--format", "json"])
    parts = [part.asked.shard for part in parts_of(asked, 3)]
    assert [job.asked.shard for job in here.ran] == parts
    assert len(parts) > 1
    assert compared.exit_code == 0, compared.output
    (comparison,) = json.loads(compared.stdout)["comparisons"]
    assert comparison["changes"] == []
    found, expected = (records.read(each) for each in (path, at_once))
    assert [record.check for record in found.checks] == [record.check for record in expected.checks]
    assert (found.header.planned, found.header.shard) == (expected.header.planned, "")
    assert sorted(each.name for each in path.parent.iterdir()) == ["numpy.jsonl"]


def test_fewer_checks_are_fewer_parts() -> None:
    """A part of which nothing would be left is not made; one part is the whole."""
    few = replace(WHOLE, asked=Selection(["1.1"], ["test_recurrence"]))
    assert parts_of(few, 8) == [few]
    assert [job.asked.shard for job in parts_of(WHOLE, 2)] == ["1/2", "2/2"]
    assert 2 < len(parts_of(WHOLE, 1000)) < 1000


def test_part_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    """With the reason; the others are kept, so that the same command goes on."""

    def answer(job: Job) -> Made | Skipped:
        return Skipped("install", "no such wheel") if job.asked.shard == "2/2" else made_of({}, "conforms", tmp_path)

    with pytest.raises(ValueError, match=r"numpy simple_rnn could not be run \(install\): no such wheel"):
        run_in_parts([WHOLE], 2, Engine(Here(answer)), tmp_path / "out", lambda step: None)
    again = Here(answer)
    with pytest.raises(ValueError, match="no such wheel"):
        run_in_parts([WHOLE], 2, Engine(again), tmp_path / "out", lambda step: None)
    assert again.ran == []


def test_longest_first(tmp_path: Path) -> None:
    """By what took long before on the same backend and cell, or else by the backend; shards by their checks."""
    cache = Cache(tmp_path)
    jobs = [replace(asked(), adapter=name).job("keras==3.1.0\n") for name in ("numpy", "flax-nnx", "torch")]
    assert [job.adapter for job in longest_first(jobs, cache)] == ["flax-nnx", "torch", "numpy"]
    assert expected_seconds(replace(jobs[0], adapter="one-of-ours"), None) == max(SECONDS.values())
    job = ASKED.job("keras==3.1.0\n")
    made = made_of(versions_of(job), "conforms", tmp_path)
    cache.keep(job, made)
    like = cache.like(replace(job, locked="keras==3.2.0\n"))
    assert like == cache.results(job)
    assert cache.like(replace(job, cell="gru")) is None
    (found,) = load([like])
    assert expected_seconds(job, found) == sum(record.seconds for record in found.checks)
    assert expected_seconds(replace(job, asked=Selection(["16.1"])), found) == 0


def test_lock_of_what_is_installed() -> None:
    """All that the worker needs at the versions that run here, and nothing of the desk."""
    found = dict(line.split("==") for line in installed_lock("numpy").split())
    assert found["hypothesis"] == pytest.importorskip("hypothesis").__version__
    assert {"numpy", "pytest", "sortedcontainers", "pluggy"} <= found.keys()
    assert not {"rnn-conformance", "rich", "matplotlib"} & found.keys()
    with pytest.raises(ValueError, match="names no packages of its own"):
        installed_lock("rnn_conformance.adapters.numpy.adapter:adapter")


def test_mutants_in_parts(tmp_path: Path) -> None:
    """The trials are those of one process, but for how long they took, in the same order."""
    names = ["bias-twice", "recurrent-kernel-transposed"]

    def answer(task: Task) -> list[object]:
        (tmp_path / "task").write_text(
            json.dumps({"mutants": task.mutants, "seeds": list(task.seeds), "profile": "smoke", "every": False})
        )
        main(tmp_path / "task", tmp_path / "trials")
        return list(read((tmp_path / "trials").read_text(encoding="utf-8").splitlines()))

    told: list[str] = []
    here = Here(answer)  # type: ignore[arg-type]
    task = Task(names, [0], "smoke", False, "", sys.executable)
    trials = try_in_parts(task, 8, Engine(here), lambda trial: told.append(trial.mutant))
    assert [replace(each, seconds=0) for each in trials] == [
        replace(try_mutant(n, 0, "smoke"), seconds=0) for n in names
    ]
    assert sorted(told) == sorted(names)
    assert [job.mutants for job in here.ran] == [[name] for name in names]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "numpy", "--engine", "nothing"], "there is no engine 'nothing'; there are local, dask, ray, slurm"),
        (["run", "numpy", "--engine", "local", "--shard", "1/2"], "leave --shard out"),
        (["selftest", "--engine", "local", "--diagnose"], "--diagnose and --alone are asked here"),
    ],
)
def test_wrong_engines(words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is run."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.stderr.split())


@pytest.mark.slow
def test_commands_on_a_real_engine(tmp_path: Path) -> None:
    """Local processes, each in an environment of its own: a run that conforms, and a mutant that is noticed."""
    out = tmp_path / "out"
    asked = ["--engine", "local", "--parts", "2", "--jobs", "2"]
    ran = CliRunner().invoke(cli, ["run", "numpy", "--profile", "smoke", "--only", "6", *asked, "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert {record.verdict for record in records.read(out / "numpy.jsonl").checks} == {"conforms"}
    tried = CliRunner().invoke(cli, ["selftest", "bias-twice", "--profile", "smoke", *asked, "--format", "json"])
    assert tried.exit_code == 0, tried.output
    assert json.loads(tried.stdout)["killed"] == 1


def test_every_engine_has_a_way_to_be_installed() -> None:
    """Each but the local one is an extra of its own."""
    from importlib.metadata import metadata

    assert {"dask", "ray", "slurm"} <= set(metadata("rnn-conformance").get_all("Provides-Extra") or ())
    assert set(engines.NAMES) == {"local", "dask", "ray", "slurm"}
