"""The scripts of the atlas for LSTM and GRU, run as they stand on the real frameworks, held to the proven bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from held import shares

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.running.declarations import declared
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import direction_shapes


def given_of(cell: Cell) -> Mapping[str, Any]:
    """Weights and an input whose every number is different, so that nothing can change places unnoticed."""
    rng = np.random.default_rng(0)
    shapes = {**direction_shapes(Layer(3, 4, cell)), "x": (2, 6, 3)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def usual(kind: str, script: str, framework: str) -> Cell:
    """The cell of a script: one that reads `c` has a recurrent bias, of the candidate alone in Flax."""
    has_c = "c_read" in script
    if kind == "lstm":
        return Lstm(recurrent_bias="all" if has_c else "none")
    return Gru(recurrent_bias="none" if not has_c else "candidate" if framework.startswith("Flax") else "all")


def run(folder: Path, scripts: Mapping[str, str], given: Mapping[str, Mapping[str, Any]]) -> None:
    """Run them in one process, each from the arrays that it names; what it leaves is in a file by its name."""
    for kind, script in scripts.items():
        np.savez(folder / f"{kind}-given.npz", **given[kind])
        names = [name for name in given[kind] if name != "x"]
        before = "".join(f"{name} = _given['{name}']\n" for name in given[kind])
        after = f"numpy.savez('{kind}.npz', outputs=outputs, {', '.join(f'{name}={name}_read' for name in names)})\n"
        load = f"import numpy\n_given = dict(numpy.load('{kind}-given.npz'))\n"
        (folder / f"{kind}.py").write_text(f"{load}{before}\n{script}\n{after}", encoding="utf-8")
    both = f"import runpy; [runpy.run_path(f'{{kind}}.py') for kind in {list(scripts)}]"
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    command = [sys.executable, "-c", both]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("adapter", sorted(set(registry.registered()) - {"numpy"}))
def test_examples_run_as_they_stand(adapter: str, tmp_path: Path) -> None:
    """Each loads, runs and reads the framework's layer: weights come back to the bit, outputs are within bounds."""
    if missing := registry.registered()[adapter].missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    header = declared([adapter])[0].header
    scripts = header.description["examples"]
    assert list(scripts) == ["lstm", "gru"]
    cells = {kind: usual(kind, script, header.framework) for kind, script in scripts.items()}
    given = {kind: given_of(cell) for kind, cell in cells.items()}
    run(tmp_path, scripts, given)
    for kind, cell in cells.items():
        left = dict(np.load(tmp_path / f"{kind}.npz"))
        outputs = left.pop("outputs")
        x = {"x": given[kind]["x"]}
        weights = {name: array for name, array in given[kind].items() if name != "x"}
        for name, array in weights.items():
            assert left[name].dtype == np.float32
            assert left[name].tobytes() == array.tobytes(), (kind, name)
        told = shares(cell, weights, x, {"outputs": outputs}, Precision(**header.description["precision"]["float32"]))
        assert told["outputs"] <= 1, (kind, told)
