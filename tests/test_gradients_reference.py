"""The gradients of the reference are the derivatives of its outputs, for every kind of model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.gradients import gradients, second_gradient
from rnn_conformance.reference.model.architecture import MERGES, Architecture, Choices, Embedding, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, each_state, flat, state_arrays
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

BATCH, TIMESTEPS, FEATURES, UNITS = 3, 5, 2, 3

# Gaps, padding before and after, every timestep valid, none valid but the first.
MASK = np.array([[0, 1, 0, 1, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], bool)

PADDED_OUTPUTS = ("zero", "repeat", "continue")
RETURNS = [(True, True), (True, False), (False, True), (False, False)]


class Example:
    """A model with numbers, in which everything that a gradient is taken of can be moved by a little."""

    def __init__(
        self, architecture: Architecture, mask: Mask | None = None, choices: Choices = Choices(), seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)

        def array(*shape: int) -> Array:
            return rng.uniform(-1, 1, shape)

        def direction(layer: Layer) -> LayerWeights:
            W, U, b = array(layer.units, layer.features), array(layer.units, layer.units), array(layer.units)
            return LayerWeights({"W": W, "U": U}).with_arrays(b=b if layer.use_bias else None)

        self.architecture, self.mask, self.choices = architecture, mask, choices
        self.batch = (BATCH,) if architecture.batched else ()
        layers = []
        state: list[LayerState] = []
        for layer in architecture.layers:
            weights = direction(layer)
            both = layer.is_bidirectional
            layers.append(replace(weights, backward=direction(layer)) if both else weights)
            state.append(tuple((array(*self.batch, layer.units),) for _ in range(1 + both)))
        table = architecture.embedding
        self.weights = Weights(tuple(layers), array(table.tokens, table.features) if table else None)
        self.inputs = (
            rng.integers(0, table.tokens, (*self.batch, TIMESTEPS))
            if table
            else array(*self.batch, TIMESTEPS, architecture.layers[0].features)
        )
        self.state: State = tuple(state)
        shape = network.output_shape(architecture, BATCH, TIMESTEPS)
        d_state = each_state(lambda h: array(*h.shape), self.state)
        self.cotangent = Output(array(*map(int, filter(None, shape))), d_state if architecture.return_state else None)

    def loss(self) -> float:
        """The sum of all products of an output or state with its cotangent."""
        output = network.run(
            self.architecture, self.weights, self.inputs, self.state, mask=self.mask, choices=self.choices
        )
        loss = float((output.outputs * self.cotangent.outputs).sum())
        states = zip(flat(output.final_state), flat(self.cotangent.final_state), strict=True)
        return loss + sum(float((h * c).sum()) for h, c in states)

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Everything that there is a gradient of, by the names that gradients have."""
        yield from self.weights.arrays()
        if self.architecture.embedding is None:
            yield "inputs", self.inputs
        yield from state_arrays("initial_state", self.state)

    def derivative(self, array: Array, along: Array) -> float:
        """The derivative of the loss when one array moves in a direction, by central differences of fourth order."""
        middle = array.copy()
        at = {}
        for steps in (-2, -1, 1, 2):
            array[...] = middle + steps * STEP * along
            at[steps] = self.loss()
        array[...] = middle
        return (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * STEP)


STEP = 2.0**-13
"""Differences of fourth order then lose 1e-12 to their order (STEP^4 = 2e-16) and 1e-11 to rounding (2e-16 / STEP)."""


def assert_gradients_are_derivatives(example: Example) -> None:
    found = gradients(
        example.architecture,
        example.weights,
        example.inputs,
        example.cotangent,
        example.state,
        mask=example.mask,
        choices=example.choices,
    )
    arrays = dict(example.arrays())
    rng = np.random.default_rng(0)
    assert [name for name, _ in found.arrays()] == list(arrays)
    for name, gradient in found.arrays():
        assert gradient.shape == arrays[name].shape
        along = rng.normal(size=gradient.shape) / np.sqrt(gradient.size)
        slope = (gradient * along).sum()  # no number of a gradient is wrong that this would not show
        np.testing.assert_allclose(slope, example.derivative(arrays[name], along), rtol=0, atol=1e-9, err_msg=name)


def one_layer(**kind: object) -> Layer:
    return Layer(FEATURES, UNITS, **kind)  # type: ignore[arg-type]


def model(*layers: Layer, **how: object) -> Architecture:
    return Architecture(layers, dtype="float64", **{"return_state": True, **how})  # type: ignore[arg-type]


@pytest.mark.parametrize("returns", RETURNS, ids=lambda r: f"{'all' if r[0] else 'last'}{' and state' if r[1] else ''}")
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_layer(activation: str, use_bias: bool, returns: tuple[bool, bool]) -> None:
    """Each activation, with and without bias, in every mode of return."""
    layer = one_layer(cell=SimpleRnn(activation), use_bias=use_bias)
    assert_gradients_are_derivatives(Example(model(layer, return_sequences=returns[0], return_state=returns[1])))


@pytest.mark.parametrize("return_sequences", [True, False])
def test_stack(return_sequences: bool) -> None:
    """Gradients pass through every layer of a stack, and through its final states."""
    layers = one_layer(), Layer(UNITS, 2, SimpleRnn("sigmoid")), Layer(2, 3, SimpleRnn("linear"), use_bias=False)
    assert_gradients_are_derivatives(Example(model(*layers, return_sequences=return_sequences)))


@pytest.mark.parametrize("batched", [True, False], ids=["batch", "single sequence"])
def test_embedding(batched: bool) -> None:
    """Each occurrence of a token counts, and a token that does not occur has gradient zero."""
    example = Example(model(one_layer(), embedding=Embedding(10, FEATURES), batched=batched))
    assert_gradients_are_derivatives(example)
    found = gradients(example.architecture, example.weights, example.inputs, example.cotangent)
    assert found.inputs is None
    assert found.weights.embedding is not None
    tokens, count = np.unique(example.inputs, return_counts=True)
    assert count.max() > 1  # so that the test can tell adding up from overwriting
    assert sorted(tokens) == np.flatnonzero(found.weights.embedding.any(axis=1)).tolist()


@pytest.mark.parametrize("padded_outputs", PADDED_OUTPUTS)
def test_embedding_that_masks_zero(padded_outputs: str) -> None:
    """Timesteps with token 0 are passed over."""
    example = Example(
        model(one_layer(), embedding=Embedding(3, FEATURES, mask_zero=True)), None, Choices(padded_outputs)
    )
    assert (example.inputs == 0).any()
    assert_gradients_are_derivatives(example)


@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("padded_outputs", PADDED_OUTPUTS)
@pytest.mark.parametrize("backward_outputs", ["aligned", "processing"])
@pytest.mark.parametrize("direction", ["forward", "backward", "bidirectional"])
def test_masks(direction: str, backward_outputs: str, padded_outputs: str, return_sequences: bool) -> None:
    """Outputs at timesteps that are not valid depend on what the declared choice says, in a stack of two."""
    layer = one_layer(direction=direction)
    example = Example(
        model(layer, Layer(layer.width, 2, direction=direction), return_sequences=return_sequences),
        MASK,
        Choices(padded_outputs, backward_outputs=backward_outputs),
    )
    assert_gradients_are_derivatives(example)


@pytest.mark.parametrize("padded_outputs", ["zero", "repeat"])
@pytest.mark.parametrize("direction", ["forward", "backward", "bidirectional"])
def test_what_is_passed_over_has_no_part(direction: str, padded_outputs: str) -> None:
    """NaN at timesteps that are not valid reaches no gradient, and their inputs have gradient zero."""
    example = Example(model(one_layer(direction=direction)), MASK, Choices(padded_outputs))
    arguments = example.cotangent, example.state
    choices = example.choices
    clean = gradients(example.architecture, example.weights, example.inputs, *arguments, mask=MASK, choices=choices)
    example.inputs[~MASK] = np.nan
    found = gradients(example.architecture, example.weights, example.inputs, *arguments, mask=MASK, choices=choices)
    for (name, gradient), (_, wanted) in zip(found.arrays(), clean.arrays(), strict=True):
        np.testing.assert_array_equal(gradient, wanted, err_msg=name)
    assert found.inputs is not None
    assert not found.inputs[~MASK].any()
    assert found.inputs[MASK].all()


@pytest.mark.parametrize("padded_outputs", PADDED_OUTPUTS)
def test_a_sequence_without_a_valid_timestep(padded_outputs: str) -> None:
    """Its final state is its initial state, and so is the gradient."""
    mask = MASK.copy()
    mask[1] = False
    example = Example(model(one_layer(direction="bidirectional")), mask, Choices(padded_outputs))
    assert_gradients_are_derivatives(example)


@pytest.mark.parametrize("backward_outputs", ["aligned", "processing"])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_backward(return_sequences: bool, backward_outputs: str) -> None:
    """A backward layer, in both orders of its outputs, below another layer."""
    layers = one_layer(direction="backward"), Layer(UNITS, 2)
    example = Example(
        model(*layers, return_sequences=return_sequences), choices=Choices(backward_outputs=backward_outputs)
    )
    assert_gradients_are_derivatives(example)


@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("merge", MERGES)
def test_bidirectional(merge: str, return_sequences: bool) -> None:
    """Two directions, in each way of joining, below another bidirectional layer and as the last one."""
    layer = one_layer(direction="bidirectional", merge=merge)
    layers = layer, Layer(layer.width, 2, direction="bidirectional", merge=merge)
    assert_gradients_are_derivatives(Example(model(*layers, return_sequences=return_sequences)))


def test_single_sequence() -> None:
    """A single sequence, with its mask, has the gradients of a batch of one."""
    layers = one_layer(direction="bidirectional"), Layer(2 * UNITS, 2)
    assert_gradients_are_derivatives(Example(model(*layers, batched=False), MASK[0]))


def test_relu_has_slope_zero_at_zero() -> None:
    """At the corner of relu, the gradient is that of the left side."""
    architecture = model(Layer(1, 1, SimpleRnn("relu"), use_bias=False))
    weights = Weights((LayerWeights({"W": np.ones((1, 1)), "U": np.ones((1, 1))}),))
    cotangent = Output(np.ones((1, 2, 1)))
    found = gradients(architecture, weights, np.array([[[0.0], [0.0]]]), cotangent)
    assert found.inputs is not None
    assert not found.inputs.any()


def test_no_initial_state_no_gradient_of_it() -> None:
    """Where no initial state is given there is no gradient of one; the others are those of a start from zeros."""
    example = Example(model(one_layer()))
    zeros = tuple(tuple(np.zeros_like(h) for h in layer_state) for layer_state in example.state)
    found = gradients(example.architecture, example.weights, example.inputs, example.cotangent)
    wanted = gradients(example.architecture, example.weights, example.inputs, example.cotangent, zeros)
    assert found.initial_state is None
    for (_, gradient), (_, expected) in zip(found.arrays(), wanted.arrays(), strict=False):
        np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_in_the_dtype_of_the_weights(dtype: str) -> None:
    """Everything is computed in the dtype of the weights, and nothing that was given is changed."""
    layers = one_layer(direction="bidirectional", merge="mul"), Layer(UNITS, 2, SimpleRnn("sigmoid"))
    example = Example(model(*layers))

    state = each_state(lambda h: h.astype(dtype), example.state)
    weights = example.weights.map(lambda array: array.astype(dtype))
    states = (h for _, h in state_arrays("initial_state", state))
    given = [example.inputs, example.cotangent.outputs, *(array for _, array in weights.arrays()), *states]
    before = [array.copy() for array in given]
    found = gradients(example.architecture, weights, example.inputs, example.cotangent, state, mask=MASK)
    assert {str(gradient.dtype) for _, gradient in found.arrays()} == {dtype}
    for array, was in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, was)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_second_gradient(activation: str) -> None:
    """It says how half the squared norm of the gradient of the inputs changes with each of these."""
    example = Example(model(one_layer(cell=SimpleRnn(activation))))

    def half_squared_norm(x: Array) -> float:
        first = gradients(example.architecture, example.weights, x, example.cotangent).inputs
        assert first is not None
        return float((first * first).sum() / 2)

    found = second_gradient(example.architecture, example.weights, example.inputs, example.cotangent)
    wanted = np.zeros_like(example.inputs)
    for at in np.ndindex(*wanted.shape):
        step = np.zeros_like(wanted)
        step[at] = 1e-5
        wanted[at] = (half_squared_norm(example.inputs + step) - half_squared_norm(example.inputs - step)) / 2e-5
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-8 * np.abs(wanted).max())
