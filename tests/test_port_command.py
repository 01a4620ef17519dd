"""A model in another framework: written, loaded, proved; and what cannot be ported, refused or left as a hole."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from layers import TARGETS

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.porting import port as porting

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

NEEDED = pytest.mark.skipif(not {"torch", "keras"} <= set(TARGETS), reason="PyTorch or Keras is not installed")

TAGGER = """
import torch


class Tagger(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(20, 3)
        self.gru = torch.nn.GRU(3, 4, batch_first=True, bidirectional=True, num_layers=2)
        self.drop = torch.nn.Dropout(0.3)
        self.out = torch.nn.Linear(8, 3)

    def forward(self, tokens):
        x, _ = self.gru(self.embed(tokens))
        return torch.softmax(self.out(self.drop(x)), dim=-1)
"""


def run(*arguments: Any, status: int = 0) -> str:
    done = CliRunner().invoke(cli, ["port", *map(str, arguments)])
    assert done.exit_code == status, done.output
    return " ".join(done.output.split())


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What load.py gives."""
    import sys

    monkeypatch.syspath_prepend(str(folder))
    for name in ("load", "model"):
        sys.modules.pop(name, None)
    import load  # type: ignore[import-not-found]

    return load.load()


@NEEDED
def test_torch_tagger_goes_into_keras_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole model is proved both ways, and gives what it gave."""
    import keras
    import torch
    from safetensors.torch import save_file

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("own_tagger.py").write_text(TAGGER, encoding="utf-8")
    from own_tagger import Tagger  # type: ignore[import-not-found]

    torch.manual_seed(0)
    tagger = Tagger().eval()
    save_file(tagger.state_dict(), "tagger.safetensors")
    said = run("tagger.safetensors", "--module", "own_tagger:Tagger", "--to", "keras", "--out", "there")
    assert "proved: whole model" in said
    assert "Proved: whole model." in Path("there/PROOF.md").read_text(encoding="utf-8")
    model = loaded(tmp_path / "there", monkeypatch)
    tokens = np.random.default_rng(0).integers(0, 20, (2, 7)).astype(np.int32)
    wanted = tagger(torch.tensor(tokens)).detach().numpy()
    assert np.abs(keras.ops.convert_to_numpy(model(tokens)) - wanted).max() < 1e-6

    assert "is there already" in run(
        "tagger.safetensors", "--module", "own_tagger:Tagger", "--to", "keras", "--out", "there", status=2
    )

    model.functional().save("tagger.keras")  # of Keras' own layers alone, and so it goes back
    assert "proved: whole model" in run("tagger.keras", "--to", "torch", "--out", "back")
    back = loaded(tmp_path / "back", monkeypatch)
    grus = [module for module in back.modules() if isinstance(module, torch.nn.GRU)]
    assert torch.equal(grus[1].weight_hh_l0_reverse, tagger.gru.weight_hh_l1_reverse)


@NEEDED
def test_keras_classifier_with_a_mask_and_a_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mask becomes lengths, the last output is taken at the end of each sequence; what is not known raises."""
    import keras
    import torch

    layers = keras.layers
    start = [keras.Input((None,), dtype="int32"), layers.Embedding(20, 3, mask_zero=True), layers.LSTM(4, name="lstm")]
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([*start, layers.Dense(2, name="out")])
    model.save("whole.keras")
    assert "proved: whole model" in run("whole.keras", "--to", "torch", "--out", "whole")
    ported = loaded(tmp_path / "whole", monkeypatch)
    tokens = np.array([[3, 4, 5, 0, 0], [1, 2, 3, 4, 5]], np.int32)
    wanted = keras.ops.convert_to_numpy(model(tokens))
    with torch.no_grad():
        assert np.abs(ported(torch.tensor(tokens)).numpy() - wanted).max() < 1e-6
        with pytest.raises(ValueError, match="padding has to come after"):
            ported(torch.tensor([[1, 0, 2]]))

    holed = keras.Sequential(
        [*start[:2], layers.LSTM(4, return_sequences=True), layers.LayerNormalization(name="norm"), layers.ReLU(6)]
    )
    holed.save("holed.keras")
    said = run("holed.keras", "--to", "torch", "--out", "holed")
    assert "hole: norm: LayerNormalization" in said
    assert re.search(r"hole: re_lu\w*: ReLU", said), "one that is cut off at 6 is another one"
    assert "proved: 1 recurrent layer, by itself" in said
    assert "whole model" not in Path("holed/PROOF.md").read_text(encoding="utf-8")
    with pytest.raises(NotImplementedError, match="norm: LayerNormalization"):
        loaded(tmp_path / "holed", monkeypatch)(torch.tensor(tokens))


@pytest.mark.skipif("keras" not in TARGETS, reason="Keras is not installed")
@pytest.mark.parametrize("target", ["flax-nnx", "flax-linen"])
def test_keras_models_go_into_flax(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their mask; of Linen, `load` gives the module and its variables. Holes are left out of what is proved."""
    if target not in TARGETS:
        pytest.skip("Flax is not installed")
    import keras

    layers = keras.layers
    monkeypatch.chdir(tmp_path)
    x = keras.Input((None,), dtype="int32")
    y = layers.Embedding(20, 3, mask_zero=True)(x)
    y = layers.Bidirectional(layers.GRU(4, return_sequences=True, bias_initializer="random_normal"), name="both")(y)
    model = keras.Model(x, layers.Dense(2, activation="softmax", name="out")(layers.LSTM(5, name="lstm")(y)))
    model.save("whole.keras")
    assert "proved: whole model" in run("whole.keras", "--to", target, "--out", "whole")
    apart = re.search(r"recurrent layers differs by at most (\S+)", Path("whole/PROOF.md").read_text(encoding="utf-8"))
    assert apart is not None
    assert float(apart[1]) < 1e-5, "what stands at padded timesteps is not counted, which differs"
    ported = loaded(tmp_path / "whole", monkeypatch)
    tokens = np.array([[3, 4, 5, 0, 0], [1, 2, 3, 4, 5]], np.int32)
    module, variables = ported if target == "flax-linen" else (ported, None)
    found = module(tokens) if variables is None else module.apply(variables, tokens)
    wanted = keras.ops.convert_to_numpy(model(tokens))
    assert np.abs(np.asarray(found) - wanted).max() < 1e-6

    odd = [layers.SimpleRNN(4, name="name"), layers.LayerNormalization()]  # `name` is an attribute of modules
    keras.Sequential([keras.Input((None, 3)), *odd]).save("holed.keras")
    assert "proved: 1 recurrent layer, by itself" in run("holed.keras", "--to", target, "--out", "holed")


@NEEDED
def test_float64_stays_float64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every layer that has weights; where JAX would have to be told, it is a hole, and nothing is proved."""
    import keras
    import torch

    monkeypatch.chdir(tmp_path)
    layers = [keras.layers.GRU(3, dtype="float64", name="gru"), keras.layers.Dense(1, dtype="float64", name="out")]
    keras.Sequential([keras.Input((5, 2), dtype="float64"), *layers]).save("wide.keras")
    assert "proved: whole model" in run("wide.keras", "--to", "torch", "--out", "there")
    ported = loaded(tmp_path / "there", monkeypatch)
    assert {parameter.dtype for parameter in ported.parameters()} == {torch.float64}
    if "flax-nnx" in TARGETS:
        said = run("wide.keras", "--to", "flax-nnx", "--out", "holed")
        assert "hole: gru: dtype: float64 has to be written by hand" in said
        assert "proved: nothing" in said


@NEEDED
def test_nothing_that_a_file_brings_along_is_run(tmp_path: Path) -> None:
    """Neither code that a .keras file names, nor a pickle."""
    import torch

    config = {"class_name": "System", "module": "os", "registered_name": None, "config": {}}
    with zipfile.ZipFile(tmp_path / "evil.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    assert "os.System, which is not Keras' own" in run(
        tmp_path / "evil.keras", "--to", "torch", "--out", tmp_path / "out", status=2
    )
    torch.save(torch.nn.GRU(2, 3), tmp_path / "model.pt")
    said = run(
        tmp_path / "model.pt", "--module", "collections:Counter", "--to", "keras", "--out", tmp_path / "out", status=2
    )
    assert "no torch module" in said
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """With its reason."""
    (tmp_path / "model.bin").write_bytes(b"")
    assert "neither .keras, nor" in run(tmp_path / "model.bin", "--to", "torch", "--out", tmp_path / "out", status=2)


def test_page_says_whole_model_only_without_holes() -> None:
    """And what was left out."""
    from rnn_conformance.adapters.graph import Graph
    from rnn_conformance.conformance.porting.writing import Written

    graph = Graph(("tokens",), (), (0,), ("drop (Dropout)",))
    written = Written("", "", (), (("a.b", "Attention"),))
    told = porting.page(porting.Ported(Path("x"), written.holes, (), False), written, graph, "m.keras", "PyTorch")
    assert "Proved: nothing, since no recurrent layer of it was ported." in told
    assert "* `a.b`: Attention" in told
    assert "drop (Dropout)" in told
