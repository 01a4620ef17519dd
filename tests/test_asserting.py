"""Assertions on users' own layers and models: what is judged, what is said of it, and what fails."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from layers import TARGETS, canonical_of

from rnn_conformance.adapters.reading import build, read
from rnn_conformance.conformance.asserting import NonConforming, assert_agree, assert_conforms
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Layer

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 9, 4)).astype(np.float32)
H, C = RNG.normal(size=(2, 3, 5)).astype(np.float32)


def torch_model() -> Any:
    """Layers as people put them together: a stack in both directions, a GRU that is called twice, a loop of a cell."""
    torch = pytest.importorskip("torch")

    class Model(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(20, 4)
            self.stack = torch.nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True)
            self.twice = torch.nn.GRU(6, 6)
            self.cell = torch.nn.GRUCell(6, 2)
            self.never = torch.nn.RNN(2, 2)
            self.out = torch.nn.Linear(2, 3)

        def forward(self, tokens: Any) -> Any:
            x = self.stack(self.embed(tokens))[0].transpose(0, 1)
            x = self.twice(self.twice(x)[0])[0]
            h = None
            for step in x:
                h = self.cell(step, h)
            return self.out(h)

    torch.manual_seed(0)
    return Model().eval()


def test_whole_torch_model() -> None:
    """Each layer of a stack, each call and each step is judged on its own inputs, and what is not judged is told."""
    report = assert_conforms(torch_model(), inputs=RNG.integers(0, 20, (2, 7)))
    calls = {layer.path: layer.calls for layer in report.layers}
    assert calls == {"stack[0]": 1, "stack[1]": 1, "twice": 2, "cell": 7}
    assert 0 < report.worst <= 1
    assert report.not_judged == (("never", "it was not called, or only within what is compiled"),)
    assert report.others == ("embed (Embedding)", "out (Linear)")
    assert 0 < report.judged < 1
    told = str(report)
    assert "twice: at most" in told
    assert "never: not judged" in told
    assert "| `stack[1]` |" in report.markdown()


def test_model_that_is_trained_drops_things() -> None:
    """In training, dropout makes another layer of it."""
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="call its eval"):
        assert_conforms(torch.nn.LSTM(4, 3, num_layers=2, dropout=0.5), inputs=X)


def test_arguments_that_a_model_does_not_take() -> None:
    """They are those of a layer."""
    with pytest.raises(ValueError, match="of a single recurrent layer"):
        assert_conforms(torch_model(), inputs=RNG.integers(0, 20, (2, 7)), lengths=[7, 3])
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="nothing to judge"):
        assert_conforms(torch.nn.Linear(4, 3), inputs=X)
    with pytest.raises(ValueError, match="initial state of 1 arrays, but"):
        assert_conforms(torch.nn.LSTM(4, 5, batch_first=True), inputs=X, initial_state=H)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("cell", [Lstm(), Gru(recurrent_bias="none")], ids=["lstm", "gru"])
def test_layer_from_a_state_under_lengths(target: str, cell: Any) -> None:
    """In every framework, by the same call."""
    layer = build(target, canonical_of(Layer(4, 5, cell)))
    state = (H, C) if cell.name == "lstm" else H
    report = assert_conforms(layer, inputs=X, lengths=np.array([9, 4, 6]), initial_state=state)
    assert 0 < report.worst <= 1
    assert report.judged == 1
    mask = np.arange(9) < np.array([9, 4, 6])[:, np.newaxis]
    assert assert_conforms(layer, inputs=X, mask=mask, initial_state=state).worst == report.worst


@pytest.mark.skipif("keras" not in TARGETS, reason="Keras is not installed")
def test_keras_layer_that_shows_its_last_output_alone() -> None:
    """It is asked for all of them while it is watched; under the mask of an Embedding, in both directions, added."""
    import keras

    layers = keras.layers
    last = layers.Bidirectional(layers.LSTM(3), merge_mode="sum", name="last")
    start = [keras.Input((None,), dtype="int32"), layers.Embedding(20, 4, mask_zero=True, name="embed")]
    model = keras.Sequential([*start, layers.GRU(5, return_sequences=True, name="gru"), last, layers.Dense(2)])
    tokens = RNG.integers(1, 20, (3, 6)).astype(np.int32)
    tokens[0, 4:] = 0
    before = last.forward_layer.return_sequences
    report = assert_conforms(model, inputs=tokens)
    assert [(layer.path, layer.not_proven) for layer in report.layers] == [("gru", ()), ("last", ())]
    assert (last.forward_layer.return_sequences, last.merge_mode) == (before, "sum")


@pytest.mark.skipif("flax-nnx" not in TARGETS, reason="Flax is not installed")
def test_flax_model() -> None:
    """Layers within a model, and a merge of two directions."""
    from flax import nnx
    from jax import numpy as jnp

    class Model(nnx.Module):
        def __init__(self) -> None:
            rngs = nnx.Rngs(0)
            rnns = [nnx.RNN(nnx.OptimizedLSTMCell(4, 3, rngs=rngs)) for _ in range(2)]
            self.both = nnx.Bidirectional(*rnns, merge_fn=jnp.add)
            self.dense = nnx.Linear(3, 2, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            return self.dense(self.both(x))

    report = assert_conforms(Model(), inputs=X)
    assert [(layer.path, layer.not_proven) for layer in report.layers] == [("both", ())]


# Two of them


def torch_gru() -> Any:
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    return torch.nn.GRU(4, 5, batch_first=True)


def test_right_port_agrees() -> None:
    """Two biases that become one as well."""
    for target in TARGETS:
        one = build("torch", canonical_of(Layer(4, 5, Lstm(recurrent_bias="all")))) if "torch" in TARGETS else None
        if one is not None:
            first, second = assert_agree(one, build(target, read(one)[0]), inputs=X, initial_state=(H, C))
            assert max(first.worst, second.worst) <= 1
            assert "equals the weights of the first" in second.weights


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("bias_hh_l0", "the second bias is lost"), ("weight_hh_l0", "the gates are in the order r z n in the recurrent")],
)
def test_wrong_port_is_named(name: str, sentence: str) -> None:
    """With where, how far off, and what to change."""
    one = torch_gru()
    other = copy.deepcopy(one)
    kept = getattr(other, name).data
    changed = 0 * kept if kept.dim() == 1 else kept[[*range(5, 10), *range(5), *range(10, 15)]]
    kept.copy_(changed)
    with pytest.raises(NonConforming) as failure:
        assert_agree(one, other, inputs=X)
    for told in (sentence, "times the bound", "timestep", "unit", "To change:", "but should be"):
        assert told in str(failure.value)


def test_port_that_hides_its_mistake_is_not_believed() -> None:
    """The outputs of zero inputs say nothing of the input kernel: what is read from it does."""
    one = torch_gru()
    other = copy.deepcopy(one)
    other.weight_ih_l0.data[0, 0] += 1
    with pytest.raises(NonConforming, match=r"input kernel\[5, 0\] of gate r"):
        assert_agree(one, other, inputs=0 * X)


def test_half_precision_fails_and_says_by_how_much() -> None:
    """A layer of another type is held to the bounds of the first."""
    torch = pytest.importorskip("torch")
    one = torch_gru()

    def halved(x: Any) -> Any:
        half = copy.deepcopy(one).to(torch.bfloat16)
        return half(torch.tensor(x).to(torch.bfloat16))[0].float().detach().numpy()

    with pytest.raises(NonConforming, match="times the bound"):
        assert_agree(one, halved, inputs=X)


def test_function_is_judged_with_the_weights_of_the_first() -> None:
    """Such as a session that runs an export."""
    torch = pytest.importorskip("torch")
    one = torch_gru()

    def session(x: Any, initial_state: Any = None) -> Any:
        with torch.no_grad():
            outputs, h = one(torch.tensor(x), None if initial_state is None else torch.tensor(initial_state)[None])
        return outputs.numpy(), h[0].numpy()

    _, second = assert_agree(one, session, inputs=X, initial_state=H)
    assert "cannot be read" in second.weights
    with pytest.raises(NonConforming, match="the initial state did not arrive"):
        assert_agree(one, lambda x, initial_state: session(x), inputs=X, initial_state=H)


def test_another_layer_is_no_port() -> None:
    """Other sizes, or another number of layers."""
    torch = pytest.importorskip("torch")
    with pytest.raises(NonConforming, match=r"is gru\(4 -> 6, tanh\), but should be gru\(4 -> 5, tanh\)"):
        assert_agree(torch_gru(), torch.nn.GRU(4, 6, batch_first=True), inputs=X)
    with pytest.raises(NonConforming, match="what is held against what"):
        assert_agree(torch_gru(), torch.nn.GRU(4, 5, num_layers=2, batch_first=True), inputs=X)


def test_what_is_not_judged_is_told() -> None:
    """A port that forgets a sum between its layers has each of them right, and is far from the first all the same."""
    torch = pytest.importorskip("torch")

    class Residual(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share
            self.one, self.other = (torch.nn.GRU(4, 4, batch_first=True) for _ in range(2))

        def forward(self, x: Any) -> Any:
            x = self.share * x + self.one(x)[0]
            return self.other(x)[0]

    torch.manual_seed(0)
    one, other = Residual(1.0), Residual(0.0)
    other.load_state_dict(one.state_dict())
    _, second = assert_agree(one, other, inputs=X)
    assert float(second.weights.rpartition("the whole model by ")[2].rstrip(".")) > 0.1
    same = copy.deepcopy(one)
    assert "the whole model by 0." in assert_agree(one, same, inputs=X)[1].weights
