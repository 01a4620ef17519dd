"""How long the command line takes to start, beside ``python -c pass``: ``python benchmarks/startup.py``.

Each is started in turn, in a process of its own, and the medians are compared: help and version import no command.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

BARE = ("-c", "pass")
CLI = ("-c", "from rnn_conformance.conformance.commands.main import cli; cli()")
STARTS = {
    "python -c pass": BARE,
    "python -c 'import click'": ("-c", "import click"),
    "rnn-conformance --version": (*CLI, "--version"),
    "rnn-conformance --help": (*CLI, "--help"),
    "rnn-conformance spec 1.1": (*CLI, "spec", "1.1"),
    "rnn-conformance run --help": (*CLI, "run", "--help"),
}


def seconds(arguments: Sequence[str]) -> float:
    """The wall time of one start."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def ratios(rounds: int) -> dict[str, tuple[float, float]]:
    """For each start its median in seconds, and that as a multiple of the bare one's."""
    taken: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in range(rounds):
        for name, arguments in STARTS.items():
            taken[name].append(seconds(arguments))
    bare = median(taken["python -c pass"])
    return {name: (median(times), median(times) / bare) for name, times in taken.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error("--rounds should be at least 1")
    print("| start | seconds | ratio |\n|---|---|---|")
    for name, (taken, ratio) in ratios(rounds).items():
        print(f"| `{name}` | {taken:.3f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
