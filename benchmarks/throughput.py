"""Judged examples per second: the suite against a hand-written Hypothesis test, side by side in one run.

    python benchmarks/throughput.py [BACKEND ...]

For each backend one process runs both in turn, one thread each: a block of the hand-written test, a block of the suite
on networks that are already prepared (warm), over and over; the medians and their ratio are printed. Both do the same
work: 1 to 3 layers, up to batch 4, 12 timesteps, 8 features, float32, all outputs. Then the whole default profile is
run from a cold start, process start and compilation included, and compared with the hand-written test's rate.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BACKENDS = ("torch", "keras-jax", "flax-nnx", "jax-scan", "keras-tensorflow")
ROUNDS = 3
HAND_SECONDS, SUITE_EXAMPLES = 8.0, 2000


def compare(backend: str) -> dict[str, float]:
    """Run both in turn in this process, and measure. The figures are examples a second, and milliseconds."""
    import handwritten
    import numpy as np

    from rnn_conformance.adapters import registry
    from rnn_conformance.conformance.check import Check
    from rnn_conformance.conformance.journal import Journal
    from rnn_conformance.conformance.profiles import Profile
    from rnn_conformance.conformance.subject import Subject
    from rnn_conformance.reference.architecture import Architecture, Layer

    rng = np.random.default_rng(0)
    subject = Subject(registry.load(backend))
    mode = subject.description.modes[0]
    models = []
    for k in range(16):
        batch, timesteps, features = (int(rng.integers(1, n + 1)) for n in (4, 12, 8))
        widths = rng.integers(1, 9, 1 + k % 3).tolist()
        layers = tuple(Layer(*pair) for pair in zip([features, *widths], widths, strict=False))
        models.append((Architecture(layers, mode=mode), batch, timesteps))

    def suite(examples: int, seed: int) -> float:
        """Seconds for so many judged examples."""
        profile = Profile("benchmark", "", 16, examples // 8, 8, 1, 1, 1)
        check = Check("benchmark", subject, "float32", mode, profile, seed, 0.0, Journal(None))
        start = time.perf_counter()
        check.search(models, lambda case: check.judge(case, check.run(case)), seed)
        seconds = time.perf_counter() - start
        assert check.evidence.examples >= examples * 0.9, "Hypothesis drew fewer examples than asked for"
        return seconds / check.evidence.examples

    forward = handwritten.load(backend)
    handwritten.run(forward, 3, 0)
    start = time.perf_counter()
    handwritten.run(forward, 5, 1)
    block = max(5, int(5 * HAND_SECONDS / (time.perf_counter() - start)))
    suite(SUITE_EXAMPLES, 0)

    by_hand, by_suite = [], []
    for turn in range(ROUNDS):
        start = time.perf_counter()
        handwritten.run(forward, block, 10 + turn)
        by_hand.append((time.perf_counter() - start) / block)
        by_suite.append(suite(SUITE_EXAMPLES, 1 + turn))
    inside = _time_in_framework(subject)
    total = suite(SUITE_EXAMPLES, 99)
    return {
        "hand": 1 / statistics.median(by_hand),
        "suite": 1 / statistics.median(by_suite),
        "ratio": statistics.median(h / s for h, s in zip(by_hand, by_suite, strict=True)),
        "framework_ms": inside() / SUITE_EXAMPLES * 1000,
        "total_ms": total * 1000,
    }


def _time_in_framework(subject: object):  # type: ignore[no-untyped-def]
    """From here on, count the seconds spent in the adapter's load and run; returns a function that tells them."""
    from rnn_conformance.conformance.subject import GuardedNetwork

    spent = 0.0

    def timed(method):  # type: ignore[no-untyped-def]
        def call(*args, **kwargs):  # type: ignore[no-untyped-def]
            nonlocal spent
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                spent += time.perf_counter() - start

        return call

    for network in subject._networks.values():  # type: ignore[attr-defined]
        assert isinstance(network, GuardedNetwork)
        network._network.load = timed(network._network.load)
        network._network.run = timed(network._network.run)
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
    from rnn_conformance.conformance.supervisor import ONE_THREAD

    print(
        f"{'backend':17} {'by hand':>9} {'suite':>9} {'ratio':>7}   {'call':>8} {'harness':>8}   cold default profile"
    )
    print(f"{'':17} {'(/s)':>9} {'(/s)':>9} {'':7}   {'(ms)':>8} {'(ms)':>8}   examples  seconds     /s  ratio")
    for backend in backends:
        child = [sys.executable, __file__, "--one", backend]
        environment = {**os.environ, **ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3"}
        printed = subprocess.run(child, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
        figures = json.loads(printed.splitlines()[-1])
        examples, seconds = cold(backend)
        harness = figures["total_ms"] - figures["framework_ms"]
        print(
            f"{backend:17} {figures['hand']:9.1f} {figures['suite']:9.0f} {figures['ratio']:7.0f}   "
            f"{figures['framework_ms']:8.3f} {harness:8.3f}   "
            f"{examples:8} {seconds:8.1f} {examples / seconds:6.0f} {examples / seconds / figures['hand']:6.1f}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.path.insert(0, str(Path(__file__).parent))
        print(json.dumps(compare(sys.argv[2])))
    else:
        main(sys.argv[1:] or list(BACKENDS))
