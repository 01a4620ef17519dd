"""The adapters on JAX against the reference: small whole numbers, so that right results are equal to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.description import DTYPES, EXTRAS, FEATURES
from rnn_conformance.adapters.protocol import Adapter, Network, Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.layers import gradients, network
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.weights import LayerWeights

pytest.importorskip("jax")
pytest.importorskip("flax")

ADAPTERS = ("flax-linen", "flax-nnx", "jax-scan")
MODES = ("eager", "compiled", "unrolled", "vmapped", "reloaded")
WITHOUT = {("jax-scan", "reloaded")}  # a function has no model to save

# A sequence of 6 is longer than the 4 timesteps of an unrolled turn, and no multiple of it.
EVERYTHING = Case(
    Architecture(
        (
            Layer(2, 3, "linear", direction="backward"),
            Layer(3, 2, "relu", direction="bidirectional"),
        ),
        return_state=True,
        masking="lengths",
        mode="compiled",
    ),
    batch=3,
    timesteps=6,
    regime="integers",
    seed=3,
    pattern="right",
)


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Each of the three."""
    return registry.load(request.param)


@pytest.fixture
def jax_as_it_was() -> Iterator[None]:
    """A script that needs float64 switches it on for the whole process."""
    import jax

    yield
    jax.config.update("jax_enable_x64", False)


def prepared(adapter: Adapter, case: Case) -> Network:
    """The network of a case, loaded with other weights first."""
    subject = adapter.prepare(case.architecture)
    subject.load(case.next().weights)
    subject.load(case.weights)
    return subject


def assert_same(actual: Output, wanted: Output) -> None:
    """The same outputs and final states, in shape, dtype and every bit."""
    for ours, theirs in zip(flat(actual), flat(wanted), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def flat(output: Output) -> list[np.ndarray]:
    """The arrays of an output."""
    return [output.outputs, *(h for state in output.final_state or () for h in state)]


def wanted(adapter: Adapter, case: Case, *, from_given_state: bool = True) -> Output:
    """What the specification says, with the adapter's choices; computed exactly in float64."""
    state = case.initial_state if from_given_state else None
    exact = network.run(
        case.architecture,
        in_dtype(case.weights, np.float64),
        case.inputs,
        state,
        mask=case.mask,
        choices=adapter.describe().choices,
    )
    dtype = case.inputs.dtype if case.architecture.embedding is None else case.weights.layers[0].W.dtype
    final = exact.final_state and tuple(tuple(h.astype(dtype) for h in layer) for layer in exact.final_state)
    return Output(exact.outputs.astype(dtype), final)


def in_dtype(weights: Any, dtype: Any) -> Any:
    """The same weights in another dtype."""

    def layer(given: LayerWeights) -> LayerWeights:
        b = None if given.b is None else given.b.astype(dtype)
        return LayerWeights(given.W.astype(dtype), given.U.astype(dtype), b, given.backward and layer(given.backward))

    table = None if weights.embedding is None else weights.embedding.astype(dtype)
    return replace(weights, layers=tuple(layer(given) for given in weights.layers), embedding=table)


def test_whatever_is_lacking_has_a_reason(adapter: Adapter) -> None:
    """For each feature, dtype and activation that is not offered, the description itself says why."""
    description = adapter.describe()
    for feature in (*FEATURES, *EXTRAS, *DTYPES, *ACTIVATIONS):
        if description.lacks(feature):
            assert description.unsupported.get(feature), feature


@pytest.mark.parametrize(
    ("adapter", "mode"), [pair for pair in product(ADAPTERS, MODES) if pair not in WITHOUT], indirect=["adapter"]
)
def test_every_way_to_run(adapter: Adapter, mode: str) -> None:
    """Lengths, directions, a stack and given states, together, in each mode and way; padded outputs included."""
    case = replace(EVERYTHING, architecture=replace(EVERYTHING.architecture, mode=mode))
    subject = prepared(adapter, case)
    assert_same(subject.run(case.inputs, initial_state=case.initial_state, **case.given), wanted(adapter, case))
    for (name, ours), (_, given) in zip(subject.weights().arrays(), case.weights.arrays(), strict=True):
        np.testing.assert_array_equal(ours, given, name)


def test_last_output_of_each_direction(adapter: Adapter) -> None:
    """The last output of a backward layer is its h_1, and that of a bidirectional one joins both."""
    for direction in ("backward", "bidirectional"):
        architecture = Architecture(
            (Layer(2, 3, "relu", direction=direction),), return_sequences=False, mode="compiled"
        )
        case = Case(architecture, 2, 4, "integers", 0)
        assert_same(prepared(adapter, case).run(case.inputs), wanted(adapter, case, from_given_state=False))


def test_ways_of_joining(adapter: Adapter) -> None:
    """Directions are added, averaged and multiplied, layer upon layer."""
    layers = tuple(Layer(2, 2, "relu", direction="bidirectional", merge=merge) for merge in ("sum", "ave", "mul"))
    case = Case(Architecture(layers, dtype="float64", mode="compiled"), 2, 3, "integers", 0)
    assert_same(prepared(adapter, case).run(case.inputs), wanted(adapter, case, from_given_state=False))


def test_masks(adapter: Adapter) -> None:
    """A mask, and tokens that stand for padding, are passed over in both directions, or refused with the reason."""
    layers = (Layer(2, 2, "relu", direction="bidirectional"),)
    embedding = Embedding(5, 2, mask_zero=True)
    for case in (
        Case(Architecture(layers, return_state=True, masking="mask", mode="compiled"), 3, 5, "integers", 0, "gaps"),
        Case(Architecture(layers, embedding, return_state=True, mode="compiled"), 3, 5, "integers", 0, "ends"),
    ):
        if adapter.describe().lacks("mask"):
            with pytest.raises(Unsupported, match="mask"):
                adapter.prepare(case.architecture)
        else:
            actual = prepared(adapter, case).run(case.inputs, initial_state=case.initial_state, **case.given)
            assert_same(actual, wanted(adapter, case))


def test_gradients(adapter: Adapter) -> None:
    """Of weights, inputs and initial state, through lengths, directions and a stack."""
    case = EVERYTHING
    state, choices = case.initial_state, adapter.describe().choices
    actual = prepared(adapter, case).gradients(case.inputs, case.cotangent, initial_state=state, **case.given)
    assert_same_gradients(actual, reference_gradients(case, choices))


def test_gradient_of_the_last_output_of_tokens(adapter: Adapter) -> None:
    """The table's gradient adds up what each token gives; no state means no gradient of one."""
    architecture = Architecture((Layer(2, 3, "relu"),), Embedding(5, 2), return_sequences=False, mode="compiled")
    case = Case(architecture, 2, 4, "integers", 0)
    actual = prepared(adapter, case).gradients(case.inputs, case.cotangent)
    assert actual.inputs is None
    assert actual.initial_state is None
    expected = gradients.gradients(architecture, case.weights, case.inputs, case.cotangent)
    assert_same_gradients(actual, expected)


def reference_gradients(case: Case, choices: Any) -> Gradients:
    """The gradients of a case that starts from its own state."""
    architecture, weights, state, mask = case.architecture, case.weights, case.initial_state, case.mask
    return gradients.gradients(architecture, weights, case.inputs, case.cotangent, state, mask=mask, choices=choices)


def assert_same_gradients(actual: Gradients, expected: Gradients) -> None:
    """The same arrays by the same names."""
    ours, theirs = dict(actual.arrays()), dict(expected.arrays())
    assert list(ours) == list(theirs)
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, name)


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_training_step(adapter: Adapter, mode: str) -> None:
    """A step takes the rate times the gradient off each weight; with sixteen outputs their mean is exact, too."""
    architecture = Architecture((Layer(2, 2, "linear"),), mode=mode)
    case = Case(architecture, 2, 4, "integers", 1)
    subject = prepared(adapter, case)
    outputs = subject.run(case.inputs).outputs
    targets = np.round(case.cotangent.outputs)
    of = gradients.gradients(architecture, case.weights, case.inputs, Output(2 * (outputs - targets) / 16))
    subject.train(case.inputs, targets, 0.5)
    trained = dict(subject.weights().arrays())
    for (name, before), (_, gradient) in zip(case.weights.arrays(), of.weights.arrays(), strict=True):
        np.testing.assert_array_equal(trained[name], before - 0.5 * gradient, name)
    after = network.run(architecture, subject.weights(), case.inputs)
    np.testing.assert_array_equal(subject.run(case.inputs).outputs, after.outputs)


@pytest.mark.parametrize(("dtype", "weights_dtype"), [("float16", ""), ("bfloat16", ""), ("bfloat16", "float32")])
def test_half_precision(adapter: Adapter, dtype: str, weights_dtype: str) -> None:
    """Weights in half precision, or in float32 for computing in half precision: outputs and gradients are in it.

    The state is given, for Flax cannot make its own where weights have another dtype.
    """
    layer = Layer(2, 2, "linear", direction="bidirectional")
    architecture = Architecture((layer,), dtype=dtype, weights_dtype=weights_dtype, return_state=True, mode="compiled")
    case = Case(architecture, 2, 3, "integers", 0)
    subject = prepared(adapter, case)
    state = case.initial_state
    assert_same(subject.run(case.inputs, initial_state=state), wanted(adapter, case))
    actual = subject.gradients(case.inputs, case.cotangent, initial_state=state)
    for name, array in actual.arrays():
        assert str(array.dtype) == ((weights_dtype or dtype) if name.startswith("layers") else dtype), name


def test_symbolic_shapes_of_states(adapter: Adapter) -> None:
    """Batch and timesteps are unknown, units are not; a bidirectional layer has two states."""
    architecture = Architecture((Layer(2, 3, direction="backward"), Layer(3, 4, direction="bidirectional")))
    subject = adapter.prepare(replace(architecture, mode="compiled"))
    assert subject.symbolic_shape() == (None, None, 8)
    assert subject.symbolic_state_shapes() == (((None, 3),), ((None, 4), (None, 4)))


@pytest.mark.parametrize(
    ("adapter", "mode", "wants"),
    [
        (name, mode, wants)
        for wants, modes in (("outputs", ("eager", "reloaded")), ("gradients", ("compiled", "vmapped")))
        for name, mode in product(ADAPTERS, modes)
        if (name, mode) not in WITHOUT
    ],
    indirect=["adapter"],
)
def test_scripts(adapter: Any, mode: str, wants: str) -> None:
    """A script of the framework alone gives what the specification says."""
    case = replace(EVERYTHING, architecture=replace(EVERYTHING.architecture, mode=mode))
    assert_script_is_right(adapter, case, wants)


@pytest.mark.usefixtures("jax_as_it_was")
def test_script_of_tokens_in_float64(adapter: Any) -> None:
    """The same of the last output of a model with an embedding, whose table may mask, in float64."""
    mask_zero = not adapter.describe().lacks("mask_zero")
    architecture = Architecture(
        (Layer(2, 3, "relu", direction="bidirectional", merge="ave"), Layer(3, 2, "linear")),
        Embedding(5, 2, mask_zero),
        dtype="float64",
        return_sequences=False,
        mode="unrolled",
    )
    case = Case(architecture, 2, 5, "integers", 0, "right" if mask_zero else "")
    assert_script_is_right(adapter, case, "gradients")


def assert_script_is_right(adapter: Any, case: Case, wants: str) -> None:
    """Run the script as a program of its own, and compare it with the reference, to the bit."""
    source = adapter.script(case.architecture, wants)
    assert "rnn_conformance" not in source
    variables: dict[str, Any] = {
        "layers": [as_dict(layer) for layer in case.weights.layers],
        "table": case.weights.embedding,
        "inputs": case.inputs,
        "initial_state": list(case.initial_state),
        "lengths": case.given.get("lengths"),
        "mask": case.given.get("mask"),
        "cotangent": {"outputs": case.cotangent.outputs, "final_state": case.cotangent.final_state},
    }
    exec(compile(source, "script.py", "exec"), variables)
    if wants == "outputs":
        assert_same(Output(variables["outputs"], variables.get("final_state")), wanted(adapter, case))
    else:
        expected = dict(reference_gradients(case, adapter.describe().choices).arrays())
        assert sorted(variables["gradients"]) == sorted(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(variables["gradients"][name], array, name)


def as_dict(weights: LayerWeights) -> dict[str, Any]:
    """The weights of a layer as a script is given them."""
    return {"W": weights.W, "U": weights.U, "b": weights.b, "backward": weights.backward and as_dict(weights.backward)}
