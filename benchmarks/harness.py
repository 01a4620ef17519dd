"""What the suite spends on a judged example beside the framework's call, for each kind of cell, in turn in one process.

    python benchmarks/harness.py [BACKEND ...]

The framework's part is the adapter's `load` and `run`; the harness is all the rest: the numbers, the reference, the
bounds and the bookkeeping. All outputs are judged, in float32, of single layers and of stacks of up to three, whose
lower layers are not seen: their bounds are carried on to first order.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator, Sequence

from rnn_conformance.conformance.running.process import ONE_THREAD

os.environ.update(ONE_THREAD)  # before NumPy loads its BLAS

import numpy as np
import rows
from throughput import time_in_framework

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.cases.profiles import Profile
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.searching import Model
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.model.architecture import Architecture, Layer

BACKENDS = ("torch", "jax-scan")
ROUNDS, EXAMPLES, MODELS = 5, 400, 16
COLUMNS = (
    "backend",
    "layers",
    "cell",
    "call",
    "harness",
    "share of both",
    "share / simple_rnn's",
    "harness / simple_rnn's",
)


def models(cell: Cell, layers: int, mode: str) -> list[Model]:
    """Stacks of up to so many layers, the same for every cell."""
    rng = np.random.default_rng(0)
    found: list[Model] = []
    for k in range(MODELS):
        batch, timesteps, features = (int(rng.integers(1, n + 1)) for n in (4, 12, 8))
        widths = rng.integers(1, 9, 1 + k % layers).tolist()
        stack = tuple(Layer(*pair, cell) for pair in zip([features, *widths], widths, strict=False))
        found.append((Architecture(stack, mode=mode), batch, timesteps))
    return found


def measured(backend: str, layers: int) -> Iterator[tuple[str, float, float]]:
    """For each cell the median milliseconds of CPU time for the call, and for the harness."""
    kinds = [kind for kind in CELLS if not registry.load(backend).describe().lacks(kind)]
    subjects = {kind: Subject(registry.load(backend)) for kind in kinds}
    spent: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for turn in range(1 + ROUNDS):  # the first one compiles
        for kind, subject in subjects.items():
            mode, cell = subject.description.modes[0], subject.description.variants_of(kind)[0]
            profile = Profile("benchmark", "", MODELS, EXAMPLES // 8, 8, 1, 1, 1)
            check = Check("benchmark", subject, "float32", mode, profile, turn, 0.0, Journal(None), cell=kind)
            in_framework, start = time_in_framework(subject), time.process_time()
            check.search(models(cell, layers, mode), lambda case, check=check: check.judge(case, check.run(case)))
            total, called = time.process_time() - start, in_framework()
            if turn:
                count = check.evidence.examples
                spent[kind].append((1000 * called / count, 1000 * (total - called) / count))
    for kind, each in spent.items():
        calls, others = zip(*each, strict=True)
        yield kind, statistics.median(calls), statistics.median(others)


def main(given: Sequence[str] | None = None) -> None:
    """Print a line for each backend, depth and cell."""
    parser = argparse.ArgumentParser(description="The harness' time for a judged example, of each kind of cell.")
    parser.add_argument("backends", nargs="*", default=BACKENDS, metavar="BACKEND")
    rows.heading(COLUMNS)
    for backend in parser.parse_args(given).backends:
        for layers in (1, 3):
            first: tuple[float, float] | None = None
            for kind, call, harness in measured(backend, layers):
                share = harness / (call + harness)
                first = first or (share, harness)
                ratios = [f"{share / first[0]:.2f}", f"{harness / first[1]:.1f}"]
                depth = "1" if layers == 1 else f"1 to {layers}"
                rows.row([backend, depth, kind, f"{call:.2f} ms", f"{harness:.2f} ms", f"{share:.0%}", *ratios])


if __name__ == "__main__":
    main()
