"""Judged examples per CPU second: the suite against a hand-written Hypothesis test, side by side in one run.

    python benchmarks/throughput.py [BACKEND ...] [--only CLAUSE] [--json FILE]

For each backend one process runs both in turn, one thread each: a block of the hand-written test, a block of the suite
on networks that are already prepared (warm), over and over; the medians and their ratio are printed. Both do the same
work: 1 to 3 layers, up to batch 4, 12 timesteps, 8 features, float32, all outputs. The hand-written test is there
twice: with its arrays drawn by Hypothesis, and with arrays of a seeded random generator (handwritten.py). Then the
whole default profile is run from a cold start, process start and compilation included, and compared with the rates of
the hand-written test; with a CLAUSE that, or its chapter, only. Each row is printed as it comes, and kept in FILE, a
line of JSON; a backend that cannot be measured is told in its row, with what was measured of it until then, and costs
no other one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rows

BACKENDS = ("torch", "keras-jax", "flax-nnx", "jax-scan", "keras-tensorflow")
ROUNDS = 3
HAND_SECONDS, SUITE_EXAMPLES = 5.0, 2000


def compare(backend: str) -> dict[str, float]:
    """Run both in turn in this process, and measure: examples a second of CPU time, and milliseconds of it."""
    import handwritten
    import numpy as np

    from rnn_conformance.adapters import registry
    from rnn_conformance.conformance.cases.profiles import Profile
    from rnn_conformance.conformance.engine.check import Check
    from rnn_conformance.conformance.engine.subject import Subject
    from rnn_conformance.conformance.witnesses.journal import Journal
    from rnn_conformance.reference.model.architecture import Architecture, Layer

    rng = np.random.default_rng(0)
    subject = Subject(registry.load(backend))
    mode = subject.description.modes[0]
    models = []
    for k in range(16):
        batch, timesteps, features = (int(rng.integers(1, n + 1)) for n in (4, 12, 8))
        widths = rng.integers(1, 9, 1 + k % 3).tolist()
        layers = tuple(Layer(*pair) for pair in zip([features, *widths], widths, strict=False))
        models.append((Architecture(layers, mode=mode), batch, timesteps))

    def suite(seed: int) -> float:
        """CPU seconds for a judged example."""
        profile = Profile("benchmark", "", 16, SUITE_EXAMPLES // 8, 8, 1, 1, 1)
        check = Check("benchmark", subject, "float32", mode, profile, seed, 0.0, Journal(None))
        start = time.process_time()
        check.search(models, lambda case: check.judge(case, check.run(case)))
        return (time.process_time() - start) / check.evidence.examples

    forward = handwritten.load(backend)
    blocks = {"drawn": 5, "seeded": 5}

    def by_hand(numbers: str, turn: int) -> float:
        """CPU seconds for an example of the hand-written test."""
        start = time.process_time()
        handwritten.run(forward, blocks[numbers], 10 + turn, numbers=numbers)
        return (time.process_time() - start) / blocks[numbers]

    for numbers in blocks:
        by_hand(numbers, 0)
        blocks[numbers] = max(5, int(HAND_SECONDS / by_hand(numbers, 1)))
    suite(0)

    rounds = [(by_hand("drawn", k), by_hand("seeded", k), suite(k)) for k in range(2, 2 + ROUNDS)]
    drawn, seeded, judged = (statistics.median(column) for column in zip(*rounds, strict=True))
    in_framework = time_in_framework(subject)
    total = suite(99)
    return {
        "drawn": 1 / drawn,
        "seeded": 1 / seeded,
        "suite": 1 / judged,
        "over_drawn": statistics.median(hand / ours for hand, _, ours in rounds),
        "over_seeded": statistics.median(hand / ours for _, hand, ours in rounds),
        "framework_ms": in_framework() / SUITE_EXAMPLES * 1000,
        "harness_ms": (total - in_framework() / SUITE_EXAMPLES) * 1000,
    }


def time_in_framework(subject: Any) -> Callable[[], float]:
    """From here on, count the CPU seconds spent in the adapter's load and run; returns a function that tells them."""
    spent = 0.0

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal spent
            start = time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                spent += time.process_time() - start

        return call

    for guarded in subject._networks.values():
        guarded._network.load = timed(guarded._network.load)
        guarded._network.run = timed(guarded._network.run)
    return lambda: spent


def in_a_process(backend: str) -> dict[str, float]:
    """What `compare` finds in a process of its own, on one thread.

    Raises
    ------
    RuntimeError
        It failed; what it said is on standard error.
    """
    from rnn_conformance.conformance.running.process import ONE_THREAD

    child = [sys.executable, __file__, "--one", backend]
    environment = {**os.environ, **ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(child, check=False, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"the comparison ended with status {done.returncode}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def cold(backend: str, *options: str) -> dict[str, float]:
    """Examples and CPU seconds of the whole default profile in a new process, nothing that was compiled before at hand.

    Raises
    ------
    RuntimeError
        The run came to no verdict.
    """
    program = "from rnn_conformance.conformance.commands.main import cli; cli()"
    arguments = [backend, "--jobs", "1", "--no-cache", "--format", "json", *options]
    with tempfile.TemporaryDirectory() as folder:
        before = _of_children()
        done = subprocess.run(
            [sys.executable, "-c", program, "run", *arguments, "--out", folder],
            check=False,
            capture_output=True,
            text=True,
        )
        seconds = _of_children() - before
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the run ended with status {done.returncode}: {' '.join(done.stderr.split())[-500:]}")
    return {"examples": json.loads(done.stdout)["totals"]["examples"], "seconds": seconds}


def _of_children() -> float:
    """CPU seconds of all processes that were waited for, with those that they waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


COLUMNS = ("backend", "drawn", "seeded", "warm", "ratio", "call", "harness", "cold, default", "ratio")


def cells(backend: str, f: dict[str, float]) -> list[str]:
    """A row of the table: two ratios are to drawn, and in brackets to seeded."""
    rate = f["examples"] / f["seconds"]
    return [
        backend,
        *(f"{f[name]:.1f}" for name in ("drawn", "seeded")),
        f"{f['suite']:.0f}",
        f"{f['over_drawn']:.1f} ({f['over_seeded']:.1f})",
        *(f"{f[name]:.2f} ms" for name in ("framework_ms", "harness_ms")),
        f"{f['examples']} in {f['seconds']:.0f} s = {rate:.0f}/s",
        f"{rate / f['drawn']:.1f} ({rate / f['seeded']:.1f})",
    ]


def main(given: Sequence[str]) -> int:
    """Measure each backend, and print a table; 1 if one of them could not be measured."""
    parser = argparse.ArgumentParser(description="Judged examples per second, beside a hand-written test.")
    parser.add_argument("backends", nargs="*", default=BACKENDS, metavar="BACKEND")
    parser.add_argument("--only", metavar="CLAUSE", help="from a cold start this clause or chapter only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append each row to this file, a line of JSON")
    asked = parser.parse_args(given)
    failed = False
    only = [] if asked.only is None else ["--only", asked.only]
    rows.heading(COLUMNS)
    for backend in asked.backends:
        measured: dict[str, float] = {}
        try:
            measured |= in_a_process(backend)
            measured |= cold(backend, *only)
        except RuntimeError as error:
            failed = True
            rows.row([backend, f"not measured: {error}", *(f"{name} {value:.3g}" for name, value in measured.items())])
        else:
            rows.row(cells(backend, measured))
        rows.keep({"backend": backend, **measured}, asked.json)
    return int(failed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(compare(sys.argv[2])))
    else:
        sys.exit(main(sys.argv[1:]))
