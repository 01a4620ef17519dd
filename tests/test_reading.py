"""Users' own layers in canonical words, and back: what is read from what was built is what was to be built."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from layers import TARGETS, canonical_of, canonicals

from rnn_conformance.adapters.canonical import Canonical, Refused
from rnn_conformance.adapters.reading import build, held, load, porter, porter_of, read, survey
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Layer

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

FIELDS = {
    *("activation", "recurrent_activation", "output_activation", "projection", "reset", "keep", "direction", "merge"),
    *("forget_bias", "dtype"),
}


@pytest.mark.skipif(not TARGETS, reason="no framework is installed")
@pytest.mark.parametrize("target", ["torch", "keras", "flax-nnx", "flax-linen"])
def test_what_is_built_is_read(target: str) -> None:
    """To the last bit, up to the map that the framework declares; or it is refused by field."""
    if target not in TARGETS:
        pytest.skip(f"{target} is not installed")
    kept, refused = set(), set()

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(canonicals())
    def round_trip(canonical: Canonical) -> None:
        try:
            wanted = held(target, canonical)
        except Refused as reason:
            refused.add(reason.field)
            return
        (found,) = read(build(target, canonical))
        assert found.equals(wanted), (found.architecture, wanted.architecture)
        assert held(target, wanted).equals(wanted), "what is held already is held as it is"
        if wanted.architecture.layers == canonical.architecture.layers:
            for (name, mine), (_, yours) in zip(canonical.weights.arrays(), found.weights.arrays(), strict=True):
                assert mine.tobytes() == yours.tobytes(), name
        kept.add(canonical.architecture.layers[0].cell.name)

    round_trip()
    assert kept == {"simple_rnn", "lstm", "gru"}
    assert refused
    assert refused <= FIELDS


@pytest.mark.parametrize("target", TARGETS)
def test_biases_are_merged_as_declared(target: str) -> None:
    """The sum of two biases that are added, formed in float64 and rounded once."""
    canonical = canonical_of(Layer(2, 3, Lstm(recurrent_bias="all")))
    (found,) = read(build(target, canonical))
    named, mine = found.weights.layers[0].named, canonical.weights.layers[0].named
    if target == "torch":
        assert named["c"].tobytes() == mine["c"].tobytes()
    else:
        wanted = (mine["b"].astype(np.float64) + mine["c"].astype(np.float64)).astype(np.float32)
        assert named["b"].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("target", TARGETS)
def test_other_numbers_are_loaded(target: str) -> None:
    """Into a layer that stands; and another layer's are refused."""
    layer = Layer(2, 3, Gru(recurrent_bias="none"))
    one, other = canonical_of(layer), canonical_of(layer, seed=1)
    module = build(target, one)
    if target == "flax-linen":
        with pytest.raises(Refused, match="weights are an argument of each call"):
            porter(target).load(module, other)
        return
    load(module, other)
    assert read(module)[0].equals(held(target, other))
    with pytest.raises(Refused, match="should be"):
        load(module, canonical_of(replace(layer, units=4)))


def test_what_is_no_model() -> None:
    """The names that there are to choose from are listed."""
    with pytest.raises(ValueError, match="no model of keras, torch, flax-nnx, flax-linen, onnx"):
        porter_of(3)
    with pytest.raises(ValueError, match="only for keras, torch, flax-nnx, flax-linen, onnx"):
        porter("paddle")


# What is refused, and what is told


def torch_models() -> dict[str, Any]:
    torch = pytest.importorskip("torch")

    class Own(torch.nn.LSTM):  # type: ignore[misc,name-defined]
        def forward(self, x: Any, hx: Any = None) -> Any:
            return super().forward(2 * x, hx)

    class HandwrittenGRU(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(3, 3))

    hooked = torch.nn.GRU(2, 3)
    hooked.register_forward_hook(lambda module, args, out: out)
    patched = torch.nn.GRU(2, 3)
    patched.forward = lambda x: x
    return {"forward": Own(2, 3), "class": HandwrittenGRU(), "forward hooks": hooked, "forward ": patched}


@pytest.mark.parametrize("field", ["forward", "class", "forward hooks", "forward "])
def test_torch_refuses(field: str) -> None:
    """What does something else than torch's own layers, by path and field."""
    torch = pytest.importorskip("torch")
    model = torch.nn.ModuleDict({"encoder": torch.nn.ModuleList([torch_models()[field]])})
    (refused,) = survey(model).refused
    assert (refused.path, refused.field) == ("encoder.0", field.strip())
    with pytest.raises(Refused, match=r"^encoder\.0: "):
        read(model)


def test_torch_model_is_surveyed() -> None:
    """Stacks, shared layers, parametrisations and cells, what matters in training only, and what is not recurrent."""
    torch = pytest.importorskip("torch")
    lstm = torch.nn.LSTM(4, 3, num_layers=2, bidirectional=True, dropout=0.5)
    normed = torch.nn.utils.parametrizations.weight_norm(torch.nn.GRU(6, 3), "weight_hh_l0")
    parts = {"embed": torch.nn.Embedding(9, 4), "lstm": lstm, "again": lstm, "gru": normed}
    model = torch.nn.ModuleDict({**parts, "cell": torch.nn.GRUCell(3, 3), "dense": torch.nn.Linear(3, 2)})
    lstm.weight_ih_l0.requires_grad_(False)
    found = survey(model)
    assert [layer.path for layer in found.layers] == ["lstm", "gru", "cell"]
    stack, weight_normed, cell = found.layers
    assert stack.also == ("again",)
    assert stack.training == ("dropout 0.5 between the layers of the stack", "not trained: weight_ih_l0")
    assert [layer.features for layer in stack.architecture.layers] == [4, 6]
    assert cell.is_cell
    assert np.array_equal(weight_normed.weights.layers[0].U[3:6], normed.weight_hh_l0[:3].detach().numpy())
    assert [(other.path, other.kind, other.parameters) for other in found.others] == [
        ("embed", "Embedding", 36),
        ("dense", "Linear", 8),
    ]


@pytest.mark.skipif("keras" not in TARGETS, reason="Keras is not installed")
def test_keras_model_is_surveyed() -> None:
    """Wrappers and nested models by the names on the way, and what is refused."""
    import keras

    layers = keras.layers
    inner = keras.Sequential([keras.Input((None, 3)), layers.Bidirectional(layers.LSTM(2, dropout=0.5), name="both")])
    inner.name = "inner"
    stacked = layers.RNN([layers.GRUCell(2), layers.GRUCell(3)], name="stacked")
    own = layers.GRU(2, activation=lambda x: x, name="own")
    x = keras.Input((None, 3))
    model = keras.Model(x, [inner(x), stacked(x), own(x), layers.Dense(2, name="dense")(x)])
    found = survey(model)
    assert {layer.path for layer in found.layers} == {"inner/both", "stacked"}
    assert [(refused.path, refused.field) for refused in found.refused] == [("own", "activation")]
    assert [other.path for other in found.others] == ["dense"]
    by_path = {layer.path: layer for layer in found.layers}
    assert by_path["inner/both"].training == ("dropout 0.5", "dropout 0.5")
    assert len(by_path["stacked"].architecture.layers) == 2


@pytest.mark.skipif("flax-nnx" not in TARGETS, reason="Flax is not installed")
def test_nnx_model_is_surveyed() -> None:
    """Cells of either LSTM, and what is refused."""
    from flax import nnx

    rngs = nnx.Rngs(0)
    normal = nnx.initializers.normal(0.5)

    class Model(nnx.Module):
        def __init__(self) -> None:
            self.plain = nnx.RNN(nnx.LSTMCell(2, 3, bias_init=normal, rngs=rngs))
            self.residual = nnx.RNN(nnx.SimpleCell(2, 2, residual=True, rngs=rngs))
            self.merged = nnx.Bidirectional(self.plain, nnx.RNN(nnx.GRUCell(2, 3, rngs=rngs)), merge_fn=max)
            self.dense = nnx.Linear(3, 2, rngs=rngs)

    found = survey(Model())
    assert [(refused.path, refused.field) for refused in found.refused] == [
        ("merged", "backward_rnn"),
        ("residual", "residual"),
    ]
    assert [other.path for other in found.others] == ["dense"]
    (layer,) = found.layers
    assert layer.path == "plain"
    assert layer.architecture.layers[0].cell == Lstm()
