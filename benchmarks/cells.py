"""Time the reference's LSTM and GRU against torch.nn.LSTM and torch.nn.GRU, side by side in one run."""

from __future__ import annotations

import os

# One thread each, decided before NumPy loads its BLAS: thread pools make small products slower and timings erratic.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from typing import Any

import numpy as np
import reference_speed
from reference_speed import Array, report

from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers.layer import run_layer
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import LayerWeights

FEATURES = 64
PARAMETERS = {"weight_ih_l0": "W", "weight_hh_l0": "U", "bias_ih_l0": "b", "bias_hh_l0": "c"}
GATES = {"lstm": "ifgo", "gru": "rzn"}
"""torch's order."""


def main() -> None:
    """Print one line for each cell and number of units."""
    torch = reference_speed.torch_on_one_thread()
    for units in (64, 256):
        compare(Lstm(recurrent_bias="all"), torch.nn.LSTM, units)
        compare(Gru(), torch.nn.GRU, units)


def compare(cell: Cell, of_torch: Any, units: int) -> None:
    """The reference in float32 as a share of the time of torch's layer, both given the same numbers."""
    import torch

    rng = np.random.default_rng(units)
    layer = Layer(FEATURES, units, cell)
    shapes = cell.shapes(FEATURES, units, use_bias=True)
    named = {name: (rng.uniform(-1, 1, shape) / np.sqrt(units)).astype(np.float32) for name, shape in shapes.items()}
    weights, inputs = (
        LayerWeights(named),
        rng.standard_normal((reference_speed.BATCH, reference_speed.TIMESTEPS, FEATURES)).astype(np.float32),
    )

    theirs = of_torch(FEATURES, units, batch_first=True)
    theirs.load_state_dict({name: torch.from_numpy(in_order(cell, named[own])) for name, own in PARAMETERS.items()})
    their_inputs = torch.from_numpy(inputs)

    def torch_layer() -> Array:
        with torch.no_grad():
            outputs: Array = theirs(their_inputs)[0].numpy()
        return outputs

    what = f"{cell.name}, float32, {FEATURES} features, {units} units"
    report(
        what, "reference", lambda: run_layer(layer, weights, inputs)[0], f"torch.nn.{cell.name.upper()}", torch_layer
    )


def in_order(cell: Cell, array: Array) -> Array:
    """The rows of the gates in torch's order."""
    rows = dict(zip(cell.gates, np.split(array, len(cell.gates)), strict=True))
    return np.concatenate([rows[gate] for gate in GATES[cell.name]])


if __name__ == "__main__":
    main()
