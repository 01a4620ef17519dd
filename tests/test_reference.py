"""The reference agrees with a loop in plain Python, and keeps the shapes and dtypes of the specification."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rnn_conformance.reference import network
from rnn_conformance.reference.activations import ACTIVATIONS
from rnn_conformance.reference.architecture import Architecture, Embedding, Layer, LayerWeights, State, Weights
from rnn_conformance.reference.simple_rnn import simple_rnn

Array = NDArray[np.floating]
Rows = list[list[float]]

examples = settings(derandomize=True, deadline=None, max_examples=150)

PLAIN: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "relu": lambda z: max(z, 0.0),
    "linear": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
}
"""The activations once more, of one Python float."""


def plain_loop(
    sequence: list[list[float]], weights: LayerWeights, activation: str, h: list[float]
) -> list[list[float]]:
    """h_1 ... h_T of one sequence, from single numbers: the equation of clause 1.1 as one would write it by hand."""
    W, U = weights.W.tolist(), weights.U.tolist()
    b = [0.0] * len(U) if weights.b is None else weights.b.tolist()
    outputs = []
    for x in sequence:
        h = [
            PLAIN[activation](
                sum(W[i][j] * x[j] for j in range(len(x))) + sum(U[i][j] * h[j] for j in range(len(h))) + b[i]
            )
            for i in range(len(U))
        ]
        outputs.append(h)
    return outputs


def draw_weights(rng: np.random.Generator, architecture: Architecture) -> Weights:
    """Weights between -1 and 1, in the architecture's dtype."""

    def array(*shape: int) -> Array:
        return rng.uniform(-1, 1, shape).astype(architecture.dtype)

    layers = tuple(
        LayerWeights(
            array(layer.units, layer.features),
            array(layer.units, layer.units),
            array(layer.units) if layer.use_bias else None,
        )
        for layer in architecture.layers
    )
    table = architecture.embedding
    return Weights(layers, array(table.tokens, table.features) if table else None)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """One to three small layers of any kind, with or without an embedding, in every mode of return."""
    widths = draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    layers = tuple(
        Layer(features, units, draw(st.sampled_from(sorted(ACTIVATIONS))), draw(st.booleans()))
        for features, units in pairwise(widths)
    )
    return Architecture(
        layers,
        embedding=Embedding(draw(st.integers(1, 6)), widths[0]) if draw(st.booleans()) else None,
        dtype="float64",
        return_sequences=draw(st.booleans()),
        return_state=draw(st.booleans()),
        batched=draw(st.booleans()),
    )


@examples
@given(architectures(), st.integers(1, 3), st.integers(1, 6), st.booleans(), st.integers(0, 2**32 - 1))
def test_equals_the_plain_loop(
    architecture: Architecture, batch: int, timesteps: int, give_state: bool, seed: int
) -> None:
    """A model returns what the plain loop returns, layer by layer and sequence by sequence."""
    rng = np.random.default_rng(seed)
    weights = draw_weights(rng, architecture)
    x: NDArray[np.generic]
    if architecture.embedding:
        x = rng.integers(0, architecture.embedding.tokens, (batch, timesteps))
        sequences = [[weights.embedding[token].tolist() for token in row] for row in x]
    else:
        x = rng.standard_normal((batch, timesteps, architecture.layers[0].features))
        sequences = x.tolist()
    state: State = tuple((rng.uniform(-1, 1, (batch, layer.units)),) for layer in architecture.layers)
    if not architecture.batched:
        x, sequences, state = x[0], sequences[:1], tuple((h[:1],) for (h,) in state)

    expected_state = []
    for layer, layer_weights, (h,) in zip(architecture.layers, weights.layers, state, strict=True):
        start = h.tolist() if give_state else np.zeros_like(h).tolist()
        sequences = [
            plain_loop(sequence, layer_weights, layer.activation, start[row]) for row, sequence in enumerate(sequences)
        ]
        expected_state.append(np.array([sequence[-1] for sequence in sequences]))
    expected = np.array(sequences) if architecture.return_sequences else expected_state[-1]
    if not architecture.batched:
        state, expected_state = tuple((h[0],) for (h,) in state), [h[0] for h in expected_state]
        expected = expected[0]

    output = network.run(architecture, weights, x, state if give_state else None)

    assert output.outputs.shape == expected.shape
    np.testing.assert_allclose(output.outputs, expected, rtol=1e-11, atol=1e-11)
    if architecture.return_state:
        for (h,), expected_h in zip(output.final_state, expected_state, strict=True):
            assert h.shape == expected_h.shape
            np.testing.assert_allclose(h, expected_h, rtol=1e-11, atol=1e-11)
    else:
        assert output.final_state is None


@examples
@given(architectures(), st.sampled_from(["float32", "float64"]), st.integers(1, 3), st.integers(1, 4))
def test_shapes_and_dtypes(architecture: Architecture, dtype: str, batch: int, timesteps: int) -> None:
    """Outputs have the shape that `output_shape` says, and outputs and states the dtype of the layer."""
    architecture = replace(architecture, dtype=dtype, return_state=True)
    shape = (batch, timesteps) if architecture.batched else (timesteps,)
    if architecture.embedding:
        x: NDArray[np.generic] = np.zeros(shape, "int64")
    else:
        x = np.ones((*shape, architecture.layers[0].features), dtype)

    output = network.run(architecture, draw_weights(np.random.default_rng(0), architecture), x)

    assert output.outputs.shape == network.output_shape(architecture, batch, timesteps)
    assert output.outputs.dtype == dtype
    for (h,), layer in zip(output.final_state, architecture.layers, strict=True):
        assert h.shape == ((batch, layer.units) if architecture.batched else (layer.units,))
        assert h.dtype == dtype


def test_run_modifies_nothing() -> None:
    """Inputs, initial state and weights are the same after a call."""
    architecture = Architecture((Layer(3, 4),), dtype="float64")
    rng = np.random.default_rng(1)
    weights, x, h = draw_weights(rng, architecture), rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 4))
    arrays = [x, h, *(array for _, array in weights.arrays())]
    before = [array.copy() for array in arrays]

    network.run(architecture, weights, x, ((h,),))

    for array, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, was)


def test_known_parameter_count_and_symbolic_shapes() -> None:
    """Embedding(10000, 32) and 32 units hold 320 000 + 2 080 numbers, and keep unknown axes unknown."""
    every = Architecture((Layer(32, 32),), embedding=Embedding(10000, 32))
    last = replace(every, return_sequences=False)

    assert network.parameter_count(every) == 322_080
    assert network.output_shape(every) == (None, None, 32)
    assert network.output_shape(last) == (None, 32)
    assert network.output_shape(replace(every, batched=False), timesteps=7) == (7, 32)
    assert network.output_shape(replace(last, batched=False)) == (32,)


@examples
@given(architectures())
def test_parameter_count_counts_the_arrays(architecture: Architecture) -> None:
    """The number of parameters is the number of elements of all arrays."""
    weights = draw_weights(np.random.default_rng(0), architecture)
    assert network.parameter_count(architecture) == sum(array.size for _, array in weights.arrays())


def test_arrays_have_names() -> None:
    """Each array of the weights can be called by a name."""
    architecture = Architecture((Layer(2, 3), Layer(3, 1, use_bias=False)), embedding=Embedding(5, 2))
    names = [name for name, _ in draw_weights(np.random.default_rng(0), architecture).arrays()]
    assert names == ["embedding", "layers[0].W", "layers[0].U", "layers[0].b", "layers[1].W", "layers[1].U"]


def test_no_layers() -> None:
    """A model without a layer is refused."""
    with pytest.raises(ValueError, match="at least one layer"):
        Architecture(())


@pytest.mark.parametrize(
    ("layers", "embedding", "message"),
    [
        ((Layer(2, 3), Layer(4, 5)), None, "layer 1 reads 4 features but is given 3"),
        ((Layer(2, 3),), Embedding(10, 4), "layer 0 reads 2 features but is given 4"),
    ],
)
def test_layers_that_do_not_fit(layers: tuple[Layer, ...], embedding: Embedding | None, message: str) -> None:
    """A layer that reads another number of features than it is given is refused, by its number."""
    with pytest.raises(ValueError, match=message):
        Architecture(layers, embedding=embedding)


def test_an_architecture_reads_as_a_sentence() -> None:
    """The text form of a model names all that matters in a message."""
    architecture = Architecture(
        (Layer(8, 4), Layer(4, 2, "relu", use_bias=False)), Embedding(9, 8), return_state=True, batched=False
    )
    assert str(architecture) == (
        "Embedding(9, 8) -> simple_rnn(8 -> 4, tanh) -> simple_rnn(4 -> 2, relu, no bias), "
        "float32, eager, all outputs and state, single sequence"
    )


def widely_copied_listing(W: Array, U: Array, b: Array, inputs: Array) -> list[Array]:
    """The loop of a widely copied NumPy listing, up to the line that joins its outputs."""
    state_t = np.zeros(len(U))
    successive_outputs = []
    for input_t in inputs:
        output_t = np.tanh(np.dot(W, input_t) + np.dot(U, state_t) + b)
        successive_outputs.append(output_t)
        state_t = output_t
    return successive_outputs


def test_the_widely_copied_listing_mended() -> None:
    """The listing's concatenate gives right values in a wrong shape; stack gives the outputs of the reference."""
    timesteps, features, units = 100, 32, 64
    rng = np.random.default_rng(0)
    W, U, b = (rng.uniform(-0.2, 0.2, shape) for shape in ((units, features), (units, units), (units,)))
    inputs = rng.random((timesteps, features))
    expected = simple_rnn(inputs[np.newaxis], LayerWeights(W, U, b))[0]
    outputs = widely_copied_listing(W, U, b, inputs)

    original = np.concatenate(outputs, axis=0)
    assert original.shape == (timesteps * units,)  # its comment promises (timesteps, units)
    np.testing.assert_allclose(original, expected.reshape(-1), rtol=0, atol=1e-13)

    mended = np.stack(outputs, axis=0)
    assert mended.shape == (timesteps, units)
    np.testing.assert_allclose(mended, expected, rtol=0, atol=1e-13)
