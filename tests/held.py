"""Scripts of the atlas, run as they stand, and what they leave behind of an LSTM or a GRU, held to the bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import LayerWeights


def shares(
    cell: Cell, weights: Mapping[str, Any], given: Mapping[str, Any], found: Mapping[str, Any], precision: Precision
) -> dict[str, float]:
    """The largest errors of a layer with these weights, as shares of the bounds of that very layer.

    `given` are the inputs `x` and, unless the layer starts from zeros, the parts of its initial state; `found` are all
    its `outputs` and perhaps the parts of its final state.
    """
    wide = {name: array.astype(np.float64) for name, array in weights.items()}
    start = tuple(given[part].astype(np.float64) for part in cell.parts) if cell.parts[0] in given else None
    seen = {name: array.astype(np.float64) for name, array in found.items()}
    layer = Layer(given["x"].shape[-1], seen["outputs"].shape[-1], cell)
    x, initial = given["x"].astype(np.float64), start and (start,)
    expected = expected_layer(layer, LayerWeights(wide), x, initial, precision, seen=seen["outputs"])
    right = {"outputs": expected.outputs, **dict(zip(cell.parts, expected.final[0], strict=True))}
    assert all(array.shape == right[name].value.shape for name, array in seen.items())
    return {name: float(np.max(np.abs(seen[name] - right[name].value) / right[name].bound)) for name in seen}


_ONE_AFTER_THE_OTHER = """
import runpy, sys, traceback

for name in sys.argv[1:]:
    wrong = ""
    try:
        runpy.run_path(f"{name}.py")
    except BaseException:  # also where a script exits: it is told to the test, and the scripts after it are run
        wrong = traceback.format_exc()
    open(f"{name}.txt", "w", encoding="utf-8").write(wrong)
"""


def run_scripts(folder: Path, scripts: Mapping[str, str]) -> Mapping[str, str]:
    """What went wrong in each script, empty if nothing did; they share a process, since frameworks are slow to import.

    The first one that imports Keras chooses the backend of all.
    """
    for name, text in scripts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    command = [sys.executable, "-c", _ONE_AFTER_THE_OTHER, *scripts]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: (folder / f"{name}.txt").read_text(encoding="utf-8") for name in scripts}
