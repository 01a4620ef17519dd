"""Gradients of users' own layers: which are judged, what is told of the others, and that wrong ones fail."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from layers import TARGETS, canonical_of

from rnn_conformance.adapters.reading import build
from rnn_conformance.conformance.asserting import NonConforming, assert_conforms
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Layer

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 9, 4)).astype(np.float32)
H, C = RNG.normal(size=(2, 3, 5)).astype(np.float32)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("cell", [Lstm(), Gru(recurrent_bias="none"), SimpleRnn()], ids=lambda cell: cell.name)
def test_gradients_of_a_layer(target: str, cell: Any) -> None:
    """Of every array, of the inputs and of the initial state, in both directions and under lengths."""
    layer = build(target, canonical_of(Layer(4, 5, cell, direction="bidirectional")))
    state = (((H, C) if cell.name == "lstm" else (H,),) * 2,)
    given = {"inputs": X, "lengths": np.array([9, 4, 6]), "initial_state": state}
    (found,) = assert_conforms(layer, **given, gradients=True).gradients
    named = [one.named for one in found.each]
    for name in ("inputs", "layers[0].W", "layers[0].backward.U", "initial_state[0].backward"):
        assert any(each.startswith(name) for each in named), named
    assert all(one.is_judged and one.share <= 1 for one in found.each)
    assert found.share > 0
    assert assert_conforms(layer, **given).gradients == ()


@pytest.mark.skipif("keras" not in TARGETS, reason="Keras is not installed")
def test_keras_layer_that_returns_its_last_output_and_is_frozen() -> None:
    """Its gradients are those of what it returns; a stack of cells is differentiated as a whole."""
    import keras

    layers = keras.layers
    last = layers.Bidirectional(layers.GRU(3, reset_after=False), merge_mode="mul")
    last.trainable = False
    stack = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True)
    for layer in (last, stack):
        layer.build((None, None, 4))
        report = assert_conforms(layer, inputs=X, gradients=True)
        assert report.gradients_judged > 0.9, report


@pytest.mark.skipif("torch" not in TARGETS, reason="PyTorch is not installed")
def test_torch_model_with_a_stack_and_a_loop_of_a_cell() -> None:
    """Each layer on the inputs that reach it; what is frozen or parametrised as well, and nothing of it is changed."""
    import torch
    from torch.nn.utils.parametrizations import weight_norm

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stack = torch.nn.LSTM(4, 3, num_layers=2, bidirectional=True)
            self.normed = weight_norm(torch.nn.GRU(6, 2), "weight_hh_l0")
            self.cell = torch.nn.RNNCell(2, 2)

        def forward(self, x: Any) -> Any:
            x, h = self.normed(self.stack(x.transpose(0, 1))[0])[0], None
            for step in x:
                h = self.cell(step, h)
            return h

    torch.manual_seed(0)
    model = Model().eval()
    model.stack.weight_hh_l1.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    report = assert_conforms(model, inputs=X, gradients=True)
    assert [layer.path for layer in report.gradients] == ["stack", "normed", "cell"]
    assert report.gradients_judged > 0.9, report
    assert "Gradients: " in str(report)
    assert "of all gradients" in report.markdown()
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert not model.stack.weight_hh_l1.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.skipif("torch" not in TARGETS, reason="PyTorch is not installed")
def test_gradient_that_does_not_flow_through_c_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """An LSTM whose outputs are right, and whose backward forgets the way from a timestep to the next through c."""
    import torch

    class KeptApart(torch.autograd.Function):
        """c as it is, and no gradient back."""

        @staticmethod
        def forward(context: Any, c: Any) -> Any:
            return c.clone()

        @staticmethod
        def backward(context: Any, *d: Any) -> Any:
            return torch.zeros_like(d[0])

    def lstm(x: Any, hx: Any, weights: Any, *options: Any) -> Any:
        (h,), (c,) = hx
        W, U, b_ih, b_hh = weights
        outputs = []
        for step in x.transpose(0, 1):
            i, f, g, o = (W @ step.T + U @ h.T + (b_ih + b_hh)[:, None]).T.chunk(4, dim=1)
            c = f.sigmoid() * KeptApart.apply(c) + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        return torch.stack(outputs, 1), h[None], c[None]

    layer = torch.nn.LSTM(4, 5, batch_first=True)
    assert_conforms(layer, inputs=X, gradients=True)
    monkeypatch.setattr(torch.nn.modules.rnn, "_VF", SimpleNamespace(lstm=lstm))
    assert_conforms(layer, inputs=X)
    with pytest.raises(
        NonConforming, match=r"gradient of .* times the bound.* the layer, .*does not flow through c from"
    ):
        assert_conforms(layer, inputs=X, gradients=True)


@pytest.mark.skipif("torch" not in TARGETS, reason="PyTorch is not installed")
def test_gradient_without_a_bound_is_told() -> None:
    """Where errors may have grown as large as the gradient itself, nothing is claimed."""
    import torch

    torch.manual_seed(0)
    layer = torch.nn.RNN(4, 8, batch_first=True)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(3)  # chaotic
    x = (0.3 * np.random.default_rng(1).normal(size=(2, 300, 4))).astype(np.float32)
    report = assert_conforms(layer, inputs=x, gradients=True)
    (found,) = report.gradients
    assert found.not_judged
    assert report.gradients_judged < 1
    assert "not judged: of layers[0].U" in str(report)


@pytest.mark.skipif("keras" not in TARGETS, reason="Keras is not installed")
def test_stateful_layer_is_not_called_again() -> None:
    """A further call would change what it keeps."""
    import keras

    layer = keras.layers.GRU(3, stateful=True, return_sequences=True)
    layer.build((3, 9, 4))
    (found,) = assert_conforms(layer, inputs=X, gradients=True).gradients
    assert found.each == ()
    assert "stateful" in found.not_judged[0]
