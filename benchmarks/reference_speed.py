"""Time the reference against torch.nn.RNN, and against a loop over single sequences, side by side in one run."""

from __future__ import annotations

import os

# One thread each, decided before NumPy loads its BLAS: thread pools make small products slower and timings erratic.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import math
import platform
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.cells.simple_rnn import simple_rnn
from rnn_conformance.reference.model.weights import LayerWeights

Array = NDArray[np.floating]

BATCH, TIMESTEPS = 64, 128
ROUNDS = 15
SHORTEST = 0.02
"""Seconds: a call that takes less is repeated, and the mean taken."""


def main() -> None:
    """Print one line for each comparison."""
    torch_on_one_thread()
    compare_with_torch(features=64, units=64)
    compare_with_torch(features=64, units=256)
    compare_with_listing(features=64, units=64)
    compare_with_listing(features=64, units=8)
    compare_with_listing(features=8, units=8)


def torch_on_one_thread() -> Any:
    """The module torch, after a heading that says what is measured; without it the benchmark ends with status 2."""
    try:
        import torch
    except ImportError:
        print("This benchmark needs torch: pip install torch==2.13.0", file=sys.stderr)
        sys.exit(2)
    torch.set_num_threads(1)
    print(f"batch {BATCH}, {TIMESTEPS} timesteps; {ROUNDS} interleaved rounds, one thread each")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__}")
    return torch


def compare_with_torch(features: int, units: int) -> None:
    """The reference in float32 as a share of the time of torch.nn.RNN."""
    import torch

    inputs, weights = draw(features, units, "float32")
    theirs = torch.nn.RNN(features, units, batch_first=True)
    their_inputs = torch.from_numpy(inputs)
    parameters = {
        "weight_ih_l0": weights.W,
        "weight_hh_l0": weights.U,
        "bias_ih_l0": weights.b,
        "bias_hh_l0": np.zeros_like(weights.b),
    }
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in parameters.items()})

    def torch_rnn() -> Array:
        with torch.no_grad():
            outputs: Array = theirs(their_inputs)[0].numpy()
        return outputs

    what = f"float32, {features} features, {units} units"
    report(what, "reference", lambda: simple_rnn(inputs, weights.named), "torch.nn.RNN", torch_rnn)


def compare_with_listing(features: int, units: int) -> None:
    """The listing, one sequence after another, in float64, as a multiple of the time of the reference on the batch."""
    inputs, weights = draw(features, units, "float64")

    def all_sequences() -> Array:
        return np.stack([listing(sequence, weights) for sequence in inputs])

    what = f"float64, {features} features, {units} units"
    report(what, "listing", all_sequences, "reference", lambda: simple_rnn(inputs, weights.named))


def listing(inputs: Array, weights: LayerWeights) -> Array:
    """The widely copied NumPy loop over one sequence, with its last line mended (a note in SPEC.md says why)."""
    W, U, b = weights.W, weights.U, weights.b
    state_t = np.zeros(len(U))
    outputs = []
    for input_t in inputs:
        output_t = np.tanh(np.dot(W, input_t) + np.dot(U, state_t) + b)
        outputs.append(output_t)
        state_t = output_t
    return np.stack(outputs, axis=0)


def draw(features: int, units: int, dtype: str) -> tuple[Array, LayerWeights]:
    """Inputs and weights, the same on every run."""
    rng = np.random.default_rng(units)
    shapes = ((units, features), (units, units), (units,))
    W, U, b = ((rng.uniform(-1, 1, shape) / np.sqrt(units)).astype(dtype) for shape in shapes)
    return rng.standard_normal((BATCH, TIMESTEPS, features)).astype(dtype), LayerWeights({"W": W, "U": U, "b": b})


def report(what: str, first: str, run_first: Callable[[], Array], second: str, run_second: Callable[[], Array]) -> None:
    """Time the two in turn, A B A B, so that a change in the machine's load meets both; print first / second."""
    np.testing.assert_allclose(run_first(), run_second(), atol=1e-4)  # they do the same work; also the warm-up
    first_calls, second_calls = (math.ceil(SHORTEST / seconds(run)) for run in (run_first, run_second))
    times_first, times_second = [], []
    for _ in range(ROUNDS):
        times_first.append(seconds(run_first, first_calls))
        times_second.append(seconds(run_second, second_calls))
    pairs = [a / b for a, b in zip(times_first, times_second, strict=True)]
    a, b = median(times_first), median(times_second)
    print(
        f"{what}: {first} {a * 1e3:.2f} ms, {second} {b * 1e3:.2f} ms, "
        f"{first} / {second} = {a / b:.2f} (single rounds {min(pairs):.2f} to {max(pairs):.2f})"
    )


def seconds(call: Callable[[], Array], calls: int = 1) -> float:
    """How long one call takes, as the mean of several in a row."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


if __name__ == "__main__":
    main()
