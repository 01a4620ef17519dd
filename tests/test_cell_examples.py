"""The scripts of the atlas for LSTM and GRU, run as they stand on the real frameworks, held to the proven bounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from held import run_scripts, shares
from test_atlas import header_of

from rnn_conformance.adapters import registry
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
    """The cell of a script: one that reads `c` has a recurrent bias, of the candidate alone in some."""
    if framework == "Haiku":
        return {"lstm": Lstm(forget_bias=1.0), "gru": Gru(reset="before", recurrent_bias="none", keep="1-z")}[kind]
    has_c = "c_read" in script
    candidate = framework.startswith(("Flax", "Equinox", "MLX"))
    if kind == "lstm":
        return Lstm(recurrent_bias="all" if has_c else "none")
    return Gru(recurrent_bias="none" if not has_c else "candidate" if candidate else "all")


def script_of(kind: str, script: str, given: Mapping[str, Any]) -> str:
    """The script between lines that give it these arrays, which are in a file, and keep what it leaves behind."""
    names = [name for name in given if name != "x"]
    before = "".join(f"{name} = _given['{name}']\n" for name in given)
    load = f"import numpy\n_given = dict(numpy.load('{kind}-given.npz'))\n"
    left = ", ".join(f"{name}={name}_read" for name in names)
    return f"{load}{before}\n{script}\nnumpy.savez('{kind}.npz', outputs=outputs, {left})\n"


@pytest.mark.parametrize("adapter", sorted(registry.registered()))
def test_examples_run_as_they_stand(adapter: str, tmp_path: Path) -> None:
    """Each loads, runs and reads the framework's layer: weights come back to the bit, outputs are within bounds."""
    if missing := registry.registered()[adapter].missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    header = header_of(adapter)
    scripts = header.description["examples"]
    assert list(scripts) == ["lstm", "gru"]
    cells = {kind: usual(kind, script, header.framework) for kind, script in scripts.items()}
    given = {kind: given_of(cell) for kind, cell in cells.items()}
    for kind, arrays in given.items():
        np.savez(tmp_path / f"{kind}-given.npz", **arrays)
    wrong = run_scripts(tmp_path, {kind: script_of(kind, scripts[kind], given[kind]) for kind in scripts})
    assert set(wrong.values()) == {""}, wrong
    for kind, cell in cells.items():
        left = dict(np.load(tmp_path / f"{kind}.npz"))
        outputs = left.pop("outputs")
        for name, array in left.items():
            assert array.dtype == np.float32
            assert array.tobytes() == given[kind][name].tobytes(), (kind, name)
        precision = Precision(**header.description["precision"]["float32"])
        told = shares(cell, left, given[kind], {"outputs": outputs}, precision)
        assert told["outputs"] <= 1, (kind, told)
