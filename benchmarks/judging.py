"""What judging a user's own layer costs: CPU seconds and memory, of outputs and states, and of gradients as well.

    python benchmarks/judging.py

A torch LSTM is judged with `assert_conforms`, after one of 2 units has been, so that nothing is imported on the way.
Memory is what NumPy's arrays had at once, more than before the call (tracemalloc): the framework's own are not in it.
"""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import torch

from rnn_conformance.conformance.asserting import Report, assert_conforms

SIZES = ((256, 32, 200, False), (32, 8, 100, True), (64, 8, 100, True))
"""Units, batch, timesteps, and whether gradients are judged as well."""


def judged(units: int, batch: int, timesteps: int, gradients: bool) -> Report:
    """The report on an LSTM of this size, with normal inputs."""
    torch.manual_seed(0)
    layer = torch.nn.LSTM(units, units, batch_first=True)
    x = np.random.default_rng(0).normal(size=(batch, timesteps, units)).astype(np.float32)
    return assert_conforms(layer, inputs=x, gradients=gradients)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| LSTM: units, batch, timesteps | judged | CPU seconds | MiB | error, as a share of its bound |")
    print("|---|---|---|---|---|")
    for units, batch, timesteps, gradients in SIZES:
        judged(2, 1, 2, gradients)
        start = time.process_time()
        report = judged(units, batch, timesteps, gradients)
        seconds = time.process_time() - start
        tracemalloc.start()
        judged(units, batch, timesteps, gradients)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        what = f"and {report.gradients_judged:.0%} of the gradients" if gradients else ""
        told = f"outputs, states {what}".strip()
        print(
            f"| {units}, {batch}, {timesteps} | {told} | {seconds:.1f} | {peak / 2**20:.0f} | {report.worst:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
