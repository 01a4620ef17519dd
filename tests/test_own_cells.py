"""The drawn suite on a class and on a function of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.numpy.adapter import adapter
from rnn_conformance.conformance.asserting import NonConforming, assert_conforms
from rnn_conformance.conformance.porting import own
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.layers.layer import run_layer
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import LayerWeights, Weights, in_float64


class MyGru:
    """A layer as somebody might have it: the equation in a class of their own, which refuses wrong sizes."""

    def __init__(self, features: int, units: int) -> None:
        self.layer = Layer(features, units, Gru())

    def load(self, named: dict[str, np.ndarray]) -> None:
        for name, shape in self.layer.cell.shapes(self.layer.features, self.layer.units, True).items():
            refuse_unless(named[name].shape == shape)
        self.named = named

    def __call__(self, x: Any, initial_state: Any = None) -> Any:
        x = np.asarray(x, self.named["W"].dtype)
        refuse_unless(x.shape[-1] == self.layer.features)
        refuse_unless(initial_state is None or initial_state.shape == (len(x), self.layer.units))
        start = None if initial_state is None else ((initial_state,),)
        outputs, final = run_layer(self.layer, LayerWeights(self.named), x, start)
        return outputs, final[0][0]


class Differentiable(MyGru):
    """It has gradients as well, by the names of the arrays."""

    def gradients(self, x: Any, cotangent: Any, state_cotangent: Any, initial_state: Any = None) -> Any:
        start = None if initial_state is None else (((initial_state.astype(np.float64),),),)
        found = gradients(
            Architecture((self.layer,), return_state=True),
            in_float64(Weights((LayerWeights(self.named),))),
            x.astype(np.float64),
            Output(cotangent, (((state_cotangent,),),)),
            start,
        )
        named = {name: a.astype(self.named["W"].dtype) for name, a in found.weights.layers[0].named.items()}
        assert found.inputs is not None
        d = {**named, "inputs": found.inputs.astype(x.dtype)}
        return (
            d if found.initial_state is None else {**d, "initial_state": found.initial_state[0][0][0].astype(x.dtype)}
        )


class WithoutGradientOfRecurrentBias(Differentiable):
    """That of the recurrent bias is forgotten."""

    def gradients(self, *args: Any, **kwargs: Any) -> Any:
        found = super().gradients(*args, **kwargs)
        return {**found, "c": 0 * found["c"]}


def refuse_unless(right: bool) -> None:
    if not right:
        raise ValueError("wrong size")


class WithoutRecurrentBias(MyGru):
    """The recurrent bias is forgotten."""

    def load(self, named: dict[str, np.ndarray]) -> None:
        super().load({**named, "c": 0 * named["c"]})


@pytest.mark.slow
def test_class_conforms() -> None:
    """Every check of its cell is run, with initial states, and what it lacks is told."""
    report = assert_conforms(MyGru, cell="gru", examples=8)
    assert len(report.examples) > 20
    assert "checks of gru conform" in str(report)


def test_wrong_class_is_told() -> None:
    """By the check that it fails, and by what it looks like."""
    with pytest.raises(NonConforming, match=r"times the bound.*recurrent bias"):
        assert_conforms(WithoutRecurrentBias, cell="gru", examples=8)


@pytest.mark.slow
def test_gradients_of_a_class() -> None:
    """They are checked where it has a method for them."""
    report = assert_conforms(Differentiable, cell="gru", examples=4)
    assert any("test_gradients" in name for name in report.examples)
    with pytest.raises(NonConforming, match=r"gradient of layers\[0\].c"):
        assert_conforms(WithoutGradientOfRecurrentBias, cell="gru", examples=4)


@pytest.mark.slow
def test_function_conforms() -> None:
    """A function that takes an initial state and a mask, and refuses what does not fit."""

    def run(
        architecture: Architecture, weights: Weights, inputs: Any, initial_state: State | None, mask: Mask | None = None
    ) -> Output:
        network = adapter.prepare(architecture)
        network.load(weights)
        return network.run(inputs, initial_state=initial_state, mask=mask)

    report = assert_conforms(run, cell="lstm", examples=4)
    assert any("test_masks" in name for name in report.examples)


class Masked(MyGru):
    """It takes a mask, and repeats the output before at padded timesteps."""

    padded_outputs = "repeat"

    def __call__(self, x: Any, initial_state: Any = None, mask: Any = None) -> Any:
        x, start = np.asarray(x, self.named["W"].dtype), None if initial_state is None else ((initial_state,),)
        choices = Choices(padded_outputs="repeat")
        outputs, final = run_layer(self.layer, LayerWeights(self.named), x, start, mask, choices)
        return outputs, final[0][0]


class Undeclared(Masked):
    """The same, and does not say so."""

    padded_outputs = "zero"


def test_outputs_at_padded_timesteps(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are what the class says that they are."""
    every = own.checks()
    monkeypatch.setattr(own, "checks", lambda: {name: every[name] for name in every if "test_masks" in name})
    report = assert_conforms(Masked, cell="gru", examples=4)
    assert report.examples
    with pytest.raises(NonConforming, match="should be exactly 0"):
        assert_conforms(Undeclared, cell="gru", examples=4)


def test_what_is_no_layer() -> None:
    """It says what a class needs, and which cells there are."""
    with pytest.raises(ValueError, match="has no load"):
        assert_conforms(type("Mine", (), {}), cell="gru", examples=4)
    with pytest.raises(ValueError, match="simple_rnn, lstm, gru"):
        assert_conforms(MyGru, cell="mgu", examples=4)
    with pytest.raises(ValueError, match="give it inputs"):
        assert_conforms(MyGru)
