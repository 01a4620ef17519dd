"""The reference agrees with a loop in plain Python, and keeps the shapes and dtypes of the specification."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn, simple_rnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.masking import mask_of_lengths
from rnn_conformance.reference.model.architecture import DIRECTIONS, MERGES, Architecture, Choices, Embedding, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import each_state, flat, state_shapes
from rnn_conformance.reference.model.weights import LayerWeights, Weights, parameter_count

Array = NDArray[np.floating]
Rows = list[list[float]]

examples = settings(derandomize=True, deadline=None, max_examples=30)

PLAIN: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "relu": lambda z: max(z, 0.0),
    "linear": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
}
"""The activations once more, of one Python float."""


def plain_step(x: list[float], weights: LayerWeights, activation: str, h: list[float]) -> list[float]:
    """h_t of one sequence, from single numbers: the equation of clause 1.1 as one would write it by hand."""
    W, U = weights.W.tolist(), weights.U.tolist()
    b = [0.0] * len(U) if weights.b is None else weights.b.tolist()
    return [
        PLAIN[activation](
            sum(W[i][j] * x[j] for j in range(len(x))) + sum(U[i][j] * h[j] for j in range(len(h))) + b[i]
        )
        for i in range(len(U))
    ]


def plain_direction(
    sequence: Rows,
    valid: list[bool],
    weights: LayerWeights,
    activation: str,
    h: list[float],
    backward: bool,
    how: Choices,
) -> tuple[list[int], Rows, list[float]]:
    """One direction over one sequence: its timesteps in the order of processing, their outputs, the final state."""
    steps = list(range(len(sequence)))[:: -1 if backward else 1]
    outputs = [[0.0] * len(h) for _ in steps]
    if how.padded_outputs == "continue":
        steps = [t for t in steps if valid[t]] + [t for t in steps if not valid[t]]
        final = evolving = h
        for t in steps:
            outputs[t] = evolving = plain_step(sequence[t], weights, activation, evolving)
            if valid[t]:
                final = evolving
        return steps, outputs, final
    before = outputs[0]
    for t in steps:
        if valid[t]:
            before = h = plain_step(sequence[t], weights, activation, h)
            outputs[t] = h
        elif how.padded_outputs == "repeat":
            outputs[t] = before
    return steps, outputs, h


def plain_layer(
    layer: Layer, weights: LayerWeights, sequence: Rows, valid: list[bool], state: list[list[float]], how: Choices
) -> tuple[Rows, list[list[float]], list[float]]:
    """A layer over one sequence: all its outputs, its final state, and its last output."""
    if not layer.is_bidirectional:
        backward = layer.direction == "backward"
        steps, outputs, final = plain_direction(
            sequence, valid, weights, layer.cell.activation, state[0], backward, how
        )
        if backward and how.backward_outputs == "processing":
            outputs = [outputs[t] for t in steps]
        return outputs, [final], final
    assert weights.backward is not None
    if how.bidirectional_padded_outputs:
        how = Choices(how.bidirectional_padded_outputs)
    _, ahead, h_ahead = plain_direction(sequence, valid, weights, layer.cell.activation, state[0], False, how)
    _, back, h_back = plain_direction(sequence, valid, weights.backward, layer.cell.activation, state[1], True, how)
    outputs = [plain_merge(layer.merge, one, other) for one, other in zip(ahead, back, strict=True)]
    return outputs, [h_ahead, h_back], plain_merge(layer.merge, h_ahead, h_back)


def plain_merge(merge: str, one: list[float], other: list[float]) -> list[float]:
    """The outputs of two directions at one timestep, joined."""
    if merge == "concat":
        return one + other
    join: dict[str, Callable[[float, float], float]] = {
        "sum": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
        "ave": lambda a, b: (a + b) / 2,
    }
    return [join[merge](a, b) for a, b in zip(one, other, strict=True)]


def draw_weights(rng: np.random.Generator, architecture: Architecture) -> Weights:
    """Weights between -1 and 1, in the architecture's dtype."""

    def array(*shape: int) -> Array:
        return rng.uniform(-1, 1, shape).astype(architecture.dtype)

    def direction(layer: Layer) -> LayerWeights:
        W, U = array(layer.units, layer.features), array(layer.units, layer.units)
        return LayerWeights({"W": W, "U": U}).with_arrays(b=array(layer.units) if layer.use_bias else None)

    layers = tuple(
        replace(direction(layer), backward=direction(layer) if layer.is_bidirectional else None)
        for layer in architecture.layers
    )
    table = architecture.embedding
    return Weights(layers, array(table.tokens, table.features) if table else None)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """One to three small layers of any kind, with or without an embedding, in every mode of return."""
    layers: list[Layer] = []
    features = width = draw(st.integers(1, 5))
    for _ in range(draw(st.integers(1, 3))):
        activation, use_bias = draw(st.sampled_from(sorted(ACTIVATIONS))), draw(st.booleans())
        direction, merge = draw(st.sampled_from(DIRECTIONS)), draw(st.sampled_from(MERGES))
        layers.append(
            Layer(width, draw(st.integers(1, 4)), SimpleRnn(activation), use_bias, direction=direction, merge=merge)
        )
        width = layers[-1].width
    return Architecture(
        tuple(layers),
        embedding=Embedding(draw(st.integers(1, 6)), features, draw(st.booleans())) if draw(st.booleans()) else None,
        dtype="float64",
        return_sequences=draw(st.booleans()),
        return_state=draw(st.booleans()),
        batched=draw(st.booleans()),
    )


choices = st.builds(
    Choices,
    padded_outputs=st.sampled_from(["zero", "repeat", "continue"]),
    bidirectional_padded_outputs=st.sampled_from(["", "zero", "repeat"]),
    backward_outputs=st.sampled_from(["aligned", "processing"]),
)


@settings(examples, max_examples=80)
@given(
    architectures(),
    choices,
    st.integers(1, 3),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_equals_the_plain_loop(
    architecture: Architecture,
    how: Choices,
    batch: int,
    timesteps: int,
    give_state: bool,
    give_mask: bool,
    seed: int,
) -> None:
    """A model returns what the plain loop returns, layer by layer and sequence by sequence, under every mask."""
    rng = np.random.default_rng(seed)
    weights = draw_weights(rng, architecture)
    mask = rng.random((batch, timesteps)) < rng.choice([0.3, 0.8]) if give_mask else np.ones((batch, timesteps), bool)
    valid = mask.tolist()
    x: NDArray[np.generic]
    if architecture.embedding:
        x = rng.integers(0, architecture.embedding.tokens, (batch, timesteps))
        assert weights.embedding is not None
        sequences = [[weights.embedding[token].tolist() for token in row] for row in x]
        if architecture.embedding.mask_zero:
            valid = [[v and token != 0 for v, token in zip(*row, strict=True)] for row in zip(valid, x, strict=True)]
    else:
        x = rng.standard_normal((batch, timesteps, architecture.layers[0].features))
        sequences = x.tolist()
    state = each_state(lambda shape: rng.uniform(-1, 1, shape), state_shapes(architecture, (batch,)))
    if not architecture.batched:
        x, mask, sequences = x[0], mask[0], sequences[:1]
        state = each_state(lambda h: h[0], state)

    last: Rows = []
    finals = []
    for k, layer in enumerate(architecture.layers):
        starts = [np.reshape(h if give_state else np.zeros_like(h), (-1, layer.units)).tolist() for (h,) in state[k]]
        found = [
            plain_layer(layer, weights.layers[k], sequence, valid[row], [h[row] for h in starts], how)
            for row, sequence in enumerate(sequences)
        ]
        sequences, last = [outputs for outputs, _, _ in found], [h for _, _, h in found]
        finals.append([np.array(h) for h in zip(*(final for _, final, _ in found), strict=True)])
    expected = np.array(sequences if architecture.return_sequences else last)

    given_mask = mask if give_mask else None
    output = network.run(architecture, weights, x, state if give_state else None, mask=given_mask, choices=how)

    def same(actual: Array, wanted: Array) -> None:
        wanted = wanted if architecture.batched else wanted[0]
        assert actual.shape == wanted.shape
        np.testing.assert_allclose(actual, wanted, rtol=1e-11, atol=1e-11)

    same(output.outputs, expected)
    if architecture.return_state:
        for h, expected_h in zip(flat(output.final_state), chain.from_iterable(finals), strict=True):
            same(h, expected_h)
    else:
        assert output.final_state is None


@pytest.mark.parametrize("padded_outputs", ["zero", "repeat"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_what_is_not_valid_is_not_read(direction: str, padded_outputs: str) -> None:
    """NaN at timesteps that are not valid reaches neither outputs nor final states."""
    architecture = Architecture((Layer(2, 3, direction=direction),), dtype="float64", return_state=True)
    rng = np.random.default_rng(3)
    weights, x = draw_weights(rng, architecture), rng.standard_normal((2, 4, 2))
    mask = np.array([[0, 1, 0, 1], [1, 0, 0, 0]], bool)

    def run() -> Output:
        return network.run(architecture, weights, x, mask=mask, choices=Choices(padded_outputs))

    clean = run()
    x[~mask] = np.nan
    dirty = run()
    np.testing.assert_array_equal(dirty.outputs, clean.outputs)
    for h, was in zip(flat(dirty.final_state), flat(clean.final_state), strict=True):
        np.testing.assert_array_equal(h, was)


def test_a_layer_that_goes_on_evolving_begins_at_the_last_valid_timestep() -> None:
    """Run backwards over padded sequences, what evolves stands behind what is valid; aligned, each at its timestep."""
    architecture = Architecture(
        (Layer(1, 1, SimpleRnn("linear"), use_bias=False, direction="backward"),), return_state=True
    )
    adding_up = Weights((LayerWeights({"W": np.ones((1, 1)), "U": np.ones((1, 1))}),))
    x, mask = np.array([[[1.0], [2.0], [4.0], [8.0]]]), mask_of_lengths(np.array([2]), 4)

    for order, expected in (("aligned", [3, 2, 15, 11]), ("processing", [2, 3, 11, 15])):
        output = network.run(architecture, adding_up, x, mask=mask, choices=Choices("continue", backward_outputs=order))
        assert output.outputs.ravel().tolist() == expected
        assert output.final_state[0][0][0].tolist() == [[3]]


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
    for layer_state, layer in zip(output.final_state, architecture.layers, strict=True):
        assert len(layer_state) == 1 + layer.is_bidirectional
        for (h,) in layer_state:
            assert h.shape == ((batch, layer.units) if architecture.batched else (layer.units,))
            assert h.dtype == dtype


def test_run_modifies_nothing() -> None:
    """Inputs, initial state and weights are the same after a call."""
    architecture = Architecture((Layer(3, 4),), dtype="float64")
    rng = np.random.default_rng(1)
    weights, x, h = draw_weights(rng, architecture), rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 4))
    arrays = [x, h, *(array for _, array in weights.arrays())]
    before = [array.copy() for array in arrays]

    network.run(architecture, weights, x, (((h,),),))

    for array, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, was)


def test_known_parameter_count_and_symbolic_shapes() -> None:
    """Embedding(10000, 32) and 32 units hold 320 000 + 2 080 numbers, and keep unknown axes unknown."""
    every = Architecture((Layer(32, 32),), embedding=Embedding(10000, 32))
    last = replace(every, return_sequences=False)

    assert parameter_count(every) == 322_080
    assert network.output_shape(every) == (None, None, 32)
    assert network.output_shape(last) == (None, 32)
    assert network.output_shape(replace(every, batched=False), timesteps=7) == (7, 32)
    assert network.output_shape(replace(last, batched=False)) == (32,)


@examples
@given(architectures())
def test_parameter_count_counts_the_arrays(architecture: Architecture) -> None:
    """The number of parameters is the number of elements of all arrays."""
    weights = draw_weights(np.random.default_rng(0), architecture)
    assert parameter_count(architecture) == sum(array.size for _, array in weights.arrays())


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
        (Layer(8, 4), Layer(4, 2, SimpleRnn("relu"), use_bias=False)), Embedding(9, 8), return_state=True, batched=False
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
    expected = simple_rnn(inputs[np.newaxis], {"W": W, "U": U, "b": b})[0]
    outputs = widely_copied_listing(W, U, b, inputs)

    original = np.concatenate(outputs, axis=0)
    assert original.shape == (timesteps * units,)  # its comment promises (timesteps, units)
    np.testing.assert_allclose(original, expected.reshape(-1), rtol=0, atol=1e-13)

    mended = np.stack(outputs, axis=0)
    assert mended.shape == (timesteps, units)
    np.testing.assert_allclose(mended, expected, rtol=0, atol=1e-13)
