"""The lines of README.md that port and prove a model, run as they stand."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from layers import TARGETS, canonical_of

from rnn_conformance.adapters.porting.ends import PLACES, pair
from rnn_conformance.adapters.porting.page import call
from rnn_conformance.adapters.reading import build
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Layer

README = Path(__file__).parents[1] / "README.md"

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours


@pytest.mark.skipif(not {"torch", "keras"} <= set(TARGETS), reason="PyTorch or Keras is not installed")
def test_lines_of_readme(capsys: pytest.CaptureFixture[str]) -> None:
    """Five of them, for a Keras LSTM with a bias that is not zero."""
    import keras
    import torch

    section = README.read_text(encoding="utf-8").partition("## Your own model, ported and proved")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    lines = [line for line in found[1].splitlines() if line]
    assert len(lines) == 5
    lstm = keras.layers.LSTM(4, return_sequences=True, bias_initializer="random_normal")
    lstm.build((None, None, 3))
    batch = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
    given = {"lstm": lstm, "batch": batch}
    exec(found[1], given)
    assert isinstance(given["ported"], torch.nn.LSTM)
    assert "Judged: 100% of the parameters" in capsys.readouterr().out


@pytest.mark.parametrize(("source", "target"), list(permutations(PLACES, 2)))
def test_call_of_the_atlas(source: str, target: str) -> None:
    """The lines of each page for a pair of frameworks, for a layer of either cell in both directions."""
    if not {source, target} <= set(TARGETS):
        pytest.skip("a framework is not installed")
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    for cell in (Lstm(), Gru(recurrent_bias="none")):
        layer = build(source, canonical_of(Layer(3, 2, cell, direction="bidirectional")))
        module, variables = layer if isinstance(layer, tuple) else (layer, None)
        exec(call(*pair(source, target)), {"layer": layer, "module": module, "variables": variables, "x": x})
