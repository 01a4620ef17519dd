"""What sweeps cost, how well two cores are used, and what ten thousand workers would make of it: docs/scale.md.

    nice -n -20 python benchmarks/scale.py --measure FOLDER      # some minutes, on a quiet machine
    python benchmarks/scale.py FOLDER                # writes docs/scale.md and its picture

Each job is measured in a process of its own. The simulation is list scheduling: whichever worker is free takes the job
that is expected to take longest. It knows nothing of schedulers: it is what no engine can do better.
"""

from __future__ import annotations

import heapq
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from rnn_conformance.conformance.running.selection import EVERYTHING
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.environments import environment
from rnn_conformance.conformance.sweeping.indexes import set_up
from rnn_conformance.conformance.sweeping.installed import installed_lock
from rnn_conformance.conformance.sweeping.job import Job, for_environments
from rnn_conformance.conformance.sweeping.parts import parts_of
from rnn_conformance.conformance.sweeping.places import Engine
from rnn_conformance.conformance.sweeping.sweep import Progress, run_all

DOCS = Path(__file__).parents[1] / "docs"
BACKENDS = {"numpy": 2, "torch": 3, "jax-scan": 3, "flax-linen": 6, "keras-jax": 6}
"""The backends that are measured, each with the parts that its run is cut into: twenty jobs."""

CORES = 2
RELEASES, CELLS = 40, 3
"""The sweep that is simulated: so many releases of each backend, with each kind of cell."""

WORKERS = (1, 10, 100, 1_000, 10_000)
WORKERS_A_NODE = 32
NODE_MEGABYTES_A_SECOND, INDEX_MEGABYTES_A_SECOND = 100, 1_000
"""What a node fetches a second at most, and what the package index gives to all nodes together: both are assumed."""


@dataclass(frozen=True)
class Taken:
    """What a job took, in CPU seconds, with its environment."""

    backend: str
    part: str
    cpu: float
    wall: float


class Timed(Executor):
    """Processes that write down what each job took: their own CPU seconds, and those of what they have started."""

    def __init__(self, at_once: int, folder: Path) -> None:
        self._pool = ProcessPoolExecutor(at_once)
        self._folder = folder

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        return self._pool.submit(_timed, self._folder, work, args[0])

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def _timed(folder: Path, work: Callable[[Job], Any], job: Job) -> Any:
    spent, began = _spent(), time.monotonic()
    found = work(job)
    taken = Taken(job.adapter, job.asked.shard, _spent() - spent, time.monotonic() - began)
    (folder / f"{job.digest}.json").write_text(json.dumps(vars(taken)), encoding="utf-8")
    return found


def _spent() -> float:
    """The CPU seconds of this process, and of all that it has started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(folder: Path) -> None:
    """Run twenty jobs on two cores, and keep what each and all took, and what an environment takes."""
    indexes, python = set_up(), sys.executable
    wholes = {
        name: Job(name, "simple_rnn", "smoke", 0, EVERYTHING, 3000, installed_lock(name), python, indexes)
        for name in BACKENDS
    }
    jobs = [part for name, whole in wholes.items() for part in parts_of(whole, BACKENDS[name])]
    environments = {name: _environment(whole) for name, whole in wholes.items()}
    with tempfile.TemporaryDirectory() as place, Timed(CORES, Path(place)) as pool:
        load, began = os.getloadavg()[0], time.monotonic()
        run_all(jobs, Engine(pool), Cache(Path(place, "kept")), _tell)
        wall = time.monotonic() - began
        taken = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(Path(place).glob("*.json"))]
    folder.mkdir(parents=True, exist_ok=True)
    found = {"wall": wall, "cores": CORES, "load": load, "jobs": taken, "environments": environments}
    (folder / "scale.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


def _environment(job: Job) -> Mapping[str, float]:
    """What it takes to make a warm environment, and how large it is, hard links and all."""
    spent = _spent()
    with environment(job.locked, job.python, job.wheel, job.indexes, for_environments(), 600) as python:
        cpu = _spent() - spent
        files = [path for path in python.parents[2].rglob("*") if path.is_file() and not path.is_symlink()]
        return {"cpu": cpu, "megabytes": sum(path.stat().st_size for path in files) / 1e6}


def _tell(step: Progress) -> None:
    print(f"{step.done} of {step.to_run} {step.said}", flush=True)


# The simulation


@dataclass(frozen=True)
class Simulated:
    """What a sweep takes on so many workers, in seconds, and what no number of workers makes shorter."""

    workers: int
    wall: float
    utilisation: float
    longest: float
    fetching: float


def simulate(seconds: Sequence[float], workers: int, megabytes: float) -> Simulated:
    """List scheduling, the longest first; before its first job, each node fetches wheels, all nodes at once."""
    nodes = ceil(workers / WORKERS_A_NODE)
    fetching = megabytes / min(NODE_MEGABYTES_A_SECOND, INDEX_MEGABYTES_A_SECOND / nodes)
    free = [fetching] * min(workers, len(seconds))
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(free, free[0] + each)
    wall = max(free)
    return Simulated(workers, wall, sum(seconds) / (wall * workers), max(seconds), fetching)


def sweep_of(found: Mapping[str, Any], parts: bool) -> list[float]:
    """The CPU seconds of the jobs of the sweep: whole runs, or their parts."""
    by_backend: dict[str, list[float]] = {}
    for job in found["jobs"]:
        by_backend.setdefault(job["backend"], []).append(job["cpu"])
    once = [each for those in by_backend.values() for each in (those if parts else [sum(those)])]
    return once * RELEASES * CELLS


def write(folder: Path) -> None:
    """Write the page and the picture of what was measured."""
    found = json.loads((folder / "scale.json").read_text(encoding="utf-8"))
    # Every release is another set of wheels: a node that runs all of them fetches as many.
    megabytes = sum(each["megabytes"] for each in found["environments"].values()) * RELEASES
    told = {}
    for name, parts in (("whole runs", False), ("parts", True)):
        seconds = sweep_of(found, parts)
        told[name] = [simulate(seconds, workers, _fetched(megabytes, seconds, workers)) for workers in WORKERS]
    (DOCS / "scale.md").write_text("\n".join([*_page(found, told), ""]), encoding="utf-8")
    _picture(told, DOCS / "scale.svg")


def _fetched(megabytes: float, seconds: Sequence[float], workers: int) -> float:
    """What a node fetches: the share of all environments that its jobs are of, and one at least."""
    jobs_of_a_node = ceil(len(seconds) * min(1.0, WORKERS_A_NODE / workers))
    environments = RELEASES * len(BACKENDS)
    return megabytes / environments * min(environments, jobs_of_a_node)


def _page(found: Mapping[str, Any], told: Mapping[str, Sequence[Simulated]]) -> Sequence[str]:
    cpu = sum(job["cpu"] for job in found["jobs"])
    share = cpu / (found["wall"] * found["cores"])
    lines = [
        "# What sweeps cost, and how they scale",
        "",
        "Made by [a script](../benchmarks/scale.py), which says what is measured and what is assumed.",
        "",
        "## Measured",
        "",
        f"{len(found['jobs'])} jobs, the checks of five backends on the simple RNN in smoke, in parts, ran",
        f"on {found['cores']} cores in {found['wall']:.0f} s and took {cpu:.0f} CPU seconds: **{share:.0%}** of what",
        f"the cores have, beside other work (a load of {found['load']:.1f}) and with priority over it. The",
        "longest come first; each made its environment from a warm cache of wheels, and removed it.",
        "",
        "| backend | jobs | CPU s of all | of the longest | CPU s of an environment | its size |",
        "|---|---|---|---|---|---|",
    ]
    for name in BACKENDS:
        those = [job["cpu"] for job in found["jobs"] if job["backend"] == name]
        made = found["environments"][name]
        cells = (name, len(those), f"{sum(those):.0f}", f"{max(those):.0f}", f"{made['cpu']:.1f}")
        lines.append(f"| {' | '.join(map(str, cells))} | {made['megabytes']:.0f} MB |")
    lines += [
        "",
        "## Simulated",
        "",
        f"A sweep of these {len(BACKENDS)} backends with {RELEASES} releases each and {CELLS} kinds of cells, from the",
        f"times above, with {WORKERS_A_NODE} workers a node. Assumed are {NODE_MEGABYTES_A_SECOND} MB/s for a node and",
        f"{INDEX_MEGABYTES_A_SECOND} MB/s for the package index, of packages as large as when unpacked; wheels are",
        "fetched once a node.",
        "",
        "| jobs are | workers | wall time | used | longest job | fetching wheels | what bounds it |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rows in told.items():
        for row in rows:
            cells = (
                *(name, f"{row.workers:,}", _time(row.wall), f"{row.utilisation:.0%}"),
                *(_time(row.longest), _time(row.fetching), _bound(row)),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", "![Wall time by the number of workers](scale.svg)", "", *WHAT_WAS_DONE]


WHAT_WAS_DONE = """What was done about it:

* **The longest first** ([turns.py](../conformance/sweeping/turns.py)): by what the same checks took before, or else by
  the backend, so that no long job is left for the end.
* **Parts**: `run --engine` cuts each backend into parts, so that the longest job is a part. A check is never cut.
  `sweep` does not cut: where wheels bound it, parts take longer, since more nodes fetch the same.
* **Environments before jobs**: all locks are found, several at a time, before a job is sent; what does not resolve
  costs no worker anything. What two kinds of cells share is looked for once.
* **Wheels once a node**: environments are made by uv, whose cache a node's workers share, and whose files are linked.
""".splitlines()


def _bound(row: Simulated) -> str:
    if row.utilisation >= 0.9:
        return "the work"
    return "fetching wheels" if row.fetching > row.longest else "the longest job"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _picture(told: Mapping[str, Sequence[Simulated]], path: Path) -> None:
    os.environ.setdefault("MPLBACKEND", "agg")
    import matplotlib

    matplotlib.rcParams["svg.hashsalt"] = "scale"  # so that the same numbers give the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4))
    work = next(iter(told.values()))[0]
    axes.plot(
        WORKERS, [work.wall / workers for workers in WORKERS], ":", color="gray", label="if all workers always worked"
    )
    for name, rows in told.items():
        axes.plot([row.workers for row in rows], [row.wall for row in rows], "o-", label=f"jobs are {name}")
    axes.set(xscale="log", yscale="log", xlabel="workers", ylabel="wall time, seconds")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


if __name__ == "__main__":
    if len(sys.argv) < 2 or (sys.argv[1] == "--measure" and len(sys.argv) != 3):
        sys.exit("usage: python benchmarks/scale.py FOLDER | --measure FOLDER")
    if sys.argv[1] == "--measure":
        measure(Path(sys.argv[2]))
    else:
        write(Path(sys.argv[1]))
