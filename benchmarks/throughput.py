"""Judged examples per second: the suite against a hand-written Hypothesis test, side by side in one run.

    python benchmarks/throughput.py [BACKEND ...]

For each backend one process runs both in turn, one thread each: a block of the hand-written test, a block of the suite
on networks that are already prepared (warm), over and over; the medians and their ratio are printed. Both do the same
work: 1 to 3 layers, up to batch 4, 12 timesteps, 8 features, float32, all outputs. The hand-written test is there
twice: with its arrays drawn by Hypothesis, and with arrays of a seeded random generator (handwritten.py). Then the
whole default profile is run from a cold start, process start and compilation included, and compared with the rates of
the hand-written test.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

BACKENDS = ("torch", "keras-jax", "flax-nnx", "jax-scan", "keras-tensorflow")
ROUNDS = 3
HAND_SECONDS, SUITE_EXAMPLES = 5.0, 2000


def compare(backend: str) -> dict[str, float]:
    """Run both in turn in this process, and measure. The figures are examples a second, and milliseconds."""
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
        """Seconds for a judged example."""
        profile = Profile("benchmark", "", 16, SUITE_EXAMPLES // 8, 8, 1, 1, 1)
        check = Check("benchmark", subject, "float32", mode, profile, seed, 0.0, Journal(None))
        start = time.perf_counter()
        check.search(models, lambda case: check.judge(case, check.run(case)))
        return (time.perf_counter() - start) / check.evidence.examples

    forward = handwritten.load(backend)
    blocks = {"drawn": 5, "seeded": 5}

    def by_hand(numbers: str, turn: int) -> float:
        """Seconds for an example of the hand-written test."""
        start = time.perf_counter()
        handwritten.run(forward, blocks[numbers], 10 + turn, numbers=numbers)
        return (time.perf_counter() - start) / blocks[numbers]

    for numbers in blocks:
        by_hand(numbers, 0)
        blocks[numbers] = max(5, int(HAND_SECONDS / by_hand(numbers, 1)))
    suite(0)

    rounds = [(by_hand("drawn", k), by_hand("seeded", k), suite(k)) for k in range(2, 2 + ROUNDS)]
    drawn, seeded, judged = (statistics.median(column) for column in zip(*rounds, strict=True))
    in_framework = _time_in_framework(subject)
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


def _time_in_framework(subject: Any) -> Callable[[], float]:
    """From here on, count the seconds spent in the adapter's load and run; returns a function that tells them."""
    spent = 0.0

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal spent
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                spent += time.perf_counter() - start

        return call

    for guarded in subject._networks.values():
        guarded._network.load = timed(guarded._network.load)
        guarded._network.run = timed(guarded._network.run)
    return lambda: spent


def cold(backend: str) -> tuple[int, float]:
    """Examples and seconds of the whole default profile, in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = ["rnn-conformance", "run", backend, "--jobs", "1", "--out", folder, "--format", "json"]
        printed = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        seconds = time.perf_counter() - start
    return sum(check["examples"] for check in json.loads(printed)[0]["checks"]), seconds


def main(backends: list[str]) -> None:
    """Measure each backend in a process of its own, and print a table."""
    from rnn_conformance.conformance.running.process import ONE_THREAD

    console = Console(width=150)
    table = Table(
        "backend", "by hand, drawn", "by hand, seeded", "suite", "ratios", "call", "harness", "cold", "ratios"
    )
    for backend in backends:
        console.print(f"measuring {backend} ...", style="dim")
        child = [sys.executable, __file__, "--one", backend]
        environment = {**os.environ, **ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3"}
        printed = subprocess.run(child, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
        f = json.loads(printed.splitlines()[-1])
        examples, seconds = cold(backend)
        rate = examples / seconds
        table.add_row(
            backend,
            f"{f['drawn']:.1f}/s",
            f"{f['seeded']:.1f}/s",
            f"{f['suite']:.0f}/s",
            f"{f['over_drawn']:.1f}, {f['over_seeded']:.1f}",
            f"{f['framework_ms']:.3f} ms",
            f"{f['harness_ms']:.3f} ms",
            f"{examples} in {seconds:.0f} s = {rate:.0f}/s",
            f"{rate / f['drawn']:.1f}, {rate / f['seeded']:.1f}",
        )
    console.print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.path.insert(0, str(Path(__file__).parent))
        print(json.dumps(compare(sys.argv[2])))
    else:
        main(sys.argv[1:] or list(BACKENDS))
