"""How long a first verdict takes from a cold start, and a second one with what was compiled for the first.

    python benchmarks/first_verdict.py                          # every backend in smoke, alone and then all together
    python benchmarks/first_verdict.py keras-jax --cell lstm --json measured.jsonl

Each backend is run twice by the command line of this environment, whichever version of the suite that is: with an
empty folder for caches (XDG_CACHE_HOME), then with what the first run left there. CPU seconds are those of the command
and of all processes that it waited for. Then all backends are run so by one command, `--jobs` at a time. Fonts are
looked for beforehand, which has nothing to do with what frameworks compile. Needs a system that counts what children
take, such as Linux.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import rows
from installed import command

BACKENDS = (
    "numpy",
    "torch",
    "keras-torch",
    "keras-tensorflow",
    "keras-jax",
    "jax-scan",
    "flax-linen",
    "flax-nnx",
)
VERDICT = (0, 1)
"""The exit statuses that say whether a backend conforms; any other says that the run did not work."""

COLUMNS = ("run", "CPU seconds, first", "second", "ratio", "wall seconds, first", "second", "ratio")


@dataclass(frozen=True)
class Taken:
    """What a run took, in seconds."""

    cpu: float
    wall: float

    def __add__(self, other: Taken) -> Taken:
        return Taken(self.cpu + other.cpu, self.wall + other.wall)


@dataclass(frozen=True)
class Measured:
    """A first run and a second one of the same backends."""

    run: str
    first: Taken
    second: Taken

    def cells(self) -> list[str]:
        """A row of the table."""
        first, second = self.first, self.second
        cpu = [f"{first.cpu:.1f}", f"{second.cpu:.1f}", f"{second.cpu / first.cpu:.2f}"]
        return [self.run, *cpu, f"{first.wall:.1f}", f"{second.wall:.1f}", f"{second.wall / first.wall:.2f}"]


def once(arguments: Sequence[str], environment: Mapping[str, str]) -> Taken:
    """Run it once, and count.

    Raises
    ------
    RuntimeError
        It came to no verdict; the message holds its last words.
    """
    before, start = _children(), time.perf_counter()
    with TemporaryDirectory() as out:
        done = subprocess.run(
            [command(), "run", *arguments, "--out", out], env=environment, capture_output=True, text=True, check=False
        )
    taken = Taken(_children() - before, time.perf_counter() - start)
    if done.returncode not in VERDICT:
        raise RuntimeError(f"exit status {done.returncode}: {' '.join(done.stderr.split())[-500:]}")
    return taken


def _children() -> float:
    """The CPU seconds of all children that have ended and were waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def twice(name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Run it with an empty folder for caches, and again with the same."""
    with TemporaryDirectory() as caches:
        first, second = (once(arguments, {**environment, "XDG_CACHE_HOME": caches}) for _ in range(2))
    return Measured(name, first, second)


def main(given: Sequence[str] | None = None) -> int:
    """Print a row for each backend, for their sum, and for all together; 1 if one of them could not be measured."""
    parser = argparse.ArgumentParser(description="How long a first verdict takes, and a second one.")
    parser.add_argument("backends", nargs="*", default=BACKENDS, metavar="BACKEND")
    parser.add_argument("--profile", default="smoke")
    parser.add_argument("--cell", action="append", default=[], help="this kind of cell; repeatable")
    parser.add_argument("--only", action="append", default=[], metavar="CLAUSE", help="this clause or chapter only")
    parser.add_argument("--jobs", type=int, default=2, help="backends at a time, where all are run together")
    parser.add_argument("--alone", action=argparse.BooleanOptionalAction, default=True, help="each backend by itself")
    parser.add_argument("--together", action=argparse.BooleanOptionalAction, default=True, help="all by one command")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append each row to this file, a line of JSON")
    asked = parser.parse_args(given)
    options = ["--profile", asked.profile]
    options += [word for cell in asked.cell for word in ("--cell", cell)]
    options += [word for clause in asked.only for word in ("--only", clause)]
    runs = {name: [name, "--jobs", "1"] for name in asked.backends} if asked.alone else {}
    if asked.together:
        runs[f"together, {asked.jobs} at a time"] = [*asked.backends, "--jobs", str(asked.jobs)]
    alone: list[Measured] = []
    failed = False
    with TemporaryDirectory() as fonts:
        environment = {**os.environ, "MPLCONFIGDIR": fonts}
        subprocess.run([sys.executable, "-c", "import matplotlib.font_manager"], env=environment, check=True)
        rows.heading(COLUMNS)
        for name, which in runs.items():
            try:
                found = twice(name, [*which, *options], environment)
            except RuntimeError as error:
                failed = True
                rows.row([name, f"not measured: {error}"])
                continue
            rows.row(found.cells())
            rows.keep({**asdict(found), "options": options}, asked.json)
            if name in asked.backends:
                alone.append(found)
    if len(alone) > 1:
        first, second = (sum(taken, Taken(0, 0)) for taken in zip(*((m.first, m.second) for m in alone), strict=True))
        rows.row(Measured(f"the {len(alone)} alone, summed", first, second).cells())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
