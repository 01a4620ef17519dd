"""The lines of README.md that port and prove a model, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from layers import TARGETS

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
