"""The adapters of Keras, feature by feature, against the reference: with whole numbers, so that what is right is exact.

A process has one backend of Keras: that of KERAS_BACKEND, or else the first that is installed.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.description import DTYPES, EXTRAS, FEATURES
from rnn_conformance.adapters.keras import adapter as keras_adapters
from rnn_conformance.adapters.keras.network import KerasNetwork
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.layers import network as reference
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import MERGES, Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Weights, in_float64, parameter_count

INSTALLED = [name for name in ("torch", "jax", "tensorflow") if importlib.util.find_spec(name)]
BACKEND = os.environ.get("KERAS_BACKEND") or (INSTALLED or [""])[0]
if not importlib.util.find_spec("keras") or BACKEND not in INSTALLED:  # to import Keras would choose its backend
    pytest.skip("Keras is not installed, or has no backend here", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

ADAPTER: keras_adapters.KerasAdapter = getattr(keras_adapters, BACKEND)
MAIN = ADAPTER.modes[0]

BACKWARD: dict[str, Any] = {"direction": "backward"}
BOTH: dict[str, Any] = {"direction": "bidirectional"}
LAYER = (Layer(2, 3, "relu"),)
STACK = (Layer(2, 3, "relu"), Layer(3, 2, "linear", use_bias=False))
TURNED = (Layer(2, 3, "relu", **BACKWARD), Layer(3, 2, "linear", **BACKWARD))
TWO_WAYS = (Layer(2, 3, "relu", **BOTH), Layer(6, 2, "linear", **BOTH))

MODELS = {
    "layer": Architecture(LAYER),
    "stack": Architecture(STACK, return_state=True),
    "last output": Architecture(STACK, return_sequences=False),
    "embedding": Architecture(STACK, Embedding(5, 2)),
    "backward": Architecture(TURNED, return_state=True),
    "bidirectional": Architecture(TWO_WAYS, return_state=True),
    **{merge: Architecture((replace(LAYER[0], **BOTH, merge=merge),)) for merge in MERGES[1:]},
    "mask": Architecture(STACK, masking="mask", return_state=True),
    "mask, backward": Architecture(TURNED, masking="mask", return_state=True),
    "mask, bidirectional": Architecture(TWO_WAYS, masking="mask", return_state=True),
    "mask_zero": Architecture(STACK, Embedding(5, 2, mask_zero=True)),
    **{dtype: Architecture(LAYER, dtype=dtype, return_state=True) for dtype in ("float16", "bfloat16", "float64")},
    "mixed float16": Architecture(LAYER, dtype="float16", weights_dtype="float32"),
    "mixed bfloat16": Architecture(LAYER, dtype="bfloat16", weights_dtype="float32"),
}
MODEL = pytest.mark.parametrize("model", MODELS)


def case_of(model: str, **changes: Any) -> Case:
    """Two sequences of four timesteps of whole numbers, with gaps where the model takes a mask."""
    architecture = replace(MODELS[model], **{"mode": MAIN, **changes})
    return Case(architecture, 2, 4, "integers", 1, "gaps" if architecture.is_masked else "")


def prepared(case: Case) -> KerasNetwork:
    """The network of a case, with its weights."""
    network = ADAPTER.prepare(case.architecture)
    network.load(case.weights)
    return network


def in_doubles(case: Case) -> tuple[Weights, np.ndarray]:
    """The weights and inputs of a case, exactly, for the reference to compute with."""
    inputs = case.inputs if case.architecture.embedding else case.inputs.astype(np.float64)
    return in_float64(case.weights), inputs


def expected(case: Case, initial_state: State | None = None) -> Output:
    """What the reference gives for a case, in float64."""
    weights, inputs = in_doubles(case)
    state = None if initial_state is None else tuple(tuple(h.astype(np.float64) for h in hs) for hs in initial_state)
    return reference.run(case.architecture, weights, inputs, state, mask=case.mask, choices=ADAPTER.describe().choices)


def assert_exact(actual: Output, wanted: Output, dtype: str = "float32") -> None:
    """Every number of two outputs is the same, and the first has this dtype."""
    arrays = [[output.outputs, *(h for hs in output.final_state or () for h in hs)] for output in (actual, wanted)]
    for array, right in zip(*arrays, strict=True):
        assert str(array.dtype) == dtype
        np.testing.assert_array_equal(array.astype(np.float64), right)


@MODEL
def test_outputs_and_states(model: str) -> None:
    """Every kind of model gives the outputs and the final states of the reference."""
    case = case_of(model)
    assert_exact(prepared(case).run(case.inputs, **case.given), expected(case), case.architecture.dtype)


@pytest.mark.parametrize("model", ["stack", "last output", "embedding", "backward", "bidirectional"])
def test_initial_state(model: str) -> None:
    """A given initial state is where every layer, in each of its directions, begins."""
    case = case_of(model)
    output = prepared(case).run(case.inputs, initial_state=case.initial_state)
    assert_exact(output, expected(case, case.initial_state))


@pytest.mark.parametrize("model", ["stack", "embedding", "bidirectional", "mask, backward", "mask_zero", "bfloat16"])
def test_gradients(model: str) -> None:
    """Gradients of weights, inputs and states are those of the reference, under the same names."""
    case = case_of(model)
    # Not with a mask: what Keras does there with an initial state differs between its backends.
    state = None if case.architecture.is_masked else case.initial_state
    actual = prepared(case).gradients(case.inputs, case.cotangent, initial_state=state, **case.given)
    weights, inputs = in_doubles(case)
    cotangent = Output(
        case.cotangent.outputs.astype(np.float64),
        tuple(tuple(h.astype(np.float64) for h in hs) for hs in case.cotangent.final_state or ()) or None,
    )
    start = None if state is None else tuple(tuple(h.astype(np.float64) for h in hs) for hs in state)
    wanted = gradients(
        case.architecture, weights, inputs, cotangent, start, mask=case.mask, choices=ADAPTER.describe().choices
    )
    found = dict(actual.arrays())
    assert found.keys() == dict(wanted.arrays()).keys()
    for name, array in wanted.arrays():
        np.testing.assert_array_equal(found[name].astype(np.float64), array, err_msg=name)


@MODEL
def test_weights_are_read_back(model: str) -> None:
    """What is loaded is read back bit for bit, in the dtype in which weights are kept."""
    case = case_of(model)
    found, given = dict(prepared(case).weights().arrays()), dict(case.weights.arrays())
    assert found.keys() == given.keys()
    for name, array in given.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("way", [*ADAPTER.modes[1:], *keras_adapters.WAYS])
@pytest.mark.parametrize("model", ["stack", "mask", "mask_zero"])
def test_ways_in(way: str, model: str) -> None:
    """Every other way to run a model gives the same, again after other weights were loaded."""
    case = case_of(model, mode=way)
    network = prepared(case)
    assert_exact(network.run(case.inputs, **case.given), expected(case))
    other = replace(case, seed=case.seed + 1)
    network.load(other.weights)
    assert_exact(network.run(other.inputs, **other.given), expected(other))


def test_unrolled_models_take_any_number_of_timesteps() -> None:
    """An unrolled model whose timesteps are not told takes those of each call."""
    case = case_of("stack", mode="unrolled")
    network = prepared(case)
    for timesteps in (1, 3):
        shorter = replace(case, timesteps=timesteps)
        network.load(shorter.weights)
        assert_exact(network.run(shorter.inputs), expected(shorter))


@pytest.mark.parametrize("model", ["stack", "backward"])
def test_stateful(model: str) -> None:
    """A stateful model goes on from the call before, until it is reset."""
    case = case_of(model, mode="eager", stateful=True, batch=2)
    network = prepared(case)
    first = expected(case)
    assert_exact(network.run(case.inputs), first)
    assert_exact(network.run(case.inputs), expected(case, first.final_state))
    network.reset()
    assert_exact(network.run(case.inputs), first)


@pytest.mark.parametrize("model", ["stack", "last output", "embedding"])
def test_training_step(model: str) -> None:
    """One step of gradient descent on the mean squared error; all numbers are dyadic, and so it is exact."""
    case = case_of(model, mode="eager")
    network = prepared(case)
    targets = case.cotangent.outputs
    weights, inputs = in_doubles(case)
    slope = 2 * (expected(case).outputs - targets) / targets.size
    descent = gradients(case.architecture, weights, inputs, Output(slope)).weights
    network.train(case.inputs, targets, rate=0.25)
    after = dict(network.weights().arrays())
    for (name, before), (_, gradient) in zip(weights.arrays(), descent.arrays(), strict=True):
        np.testing.assert_array_equal(after[name], before - 0.25 * gradient, err_msg=name)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_dropout(direction: str) -> None:
    """Dropout follows its seed in training, and changes nothing outside it."""
    layer = Layer(2, 3, "linear", direction=direction, dropout=0.5, recurrent_dropout=0.5)
    case = Case(Architecture((layer,), mode=MAIN), 8, 4, "integers", 1)
    network = prepared(case)
    assert_exact(network.run(case.inputs), expected(case))
    once, again, other = (network.run_training(case.inputs, seed).outputs for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    assert_exact(network.run(case.inputs), expected(case))


def test_shapes_and_parameters() -> None:
    """Keras infers the shapes of outputs and states without batch and timesteps, and counts parameters."""
    case = case_of("bidirectional")
    network = prepared(case)
    assert network.symbolic_shape() == (None, None, 4)
    assert network.symbolic_state_shapes() == (((None, 3), (None, 3)), ((None, 2), (None, 2)))
    assert network.parameter_count() == parameter_count(case.architecture)


def test_what_is_not_offered_has_a_reason() -> None:
    """Of everything that an adapter may offer, each is there or declared, with a reason, not to be."""
    description = ADAPTER.describe()
    for feature in (*FEATURES, *EXTRAS, *DTYPES, *ACTIVATIONS):
        assert not description.lacks(feature) or description.unsupported[feature]


def test_one_mask_is_enough() -> None:
    """A mask beside that of the tokens is refused: Keras would let the one replace the other."""
    with pytest.raises(Unsupported, match="takes the place of"):
        ADAPTER.prepare(replace(case_of("mask_zero").architecture, masking="mask"))


@pytest.mark.parametrize("wrong", ["features", "units of the state", "weights"])
def test_wrong_shapes_are_refused(wrong: str) -> None:
    """What does not fit reaches Keras, which refuses it."""
    case = case_of("stack")
    network = prepared(case)
    (h,), *above = case.initial_state
    first, *others = case.weights.layers
    calls = {
        "features": lambda: network.run(case.inputs[..., :1]),
        "units of the state": lambda: network.run(case.inputs, initial_state=((h[:, :2],), *above)),
        "weights": lambda: network.load(Weights((replace(first, W=first.W[:1]), *others))),
    }
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        calls[wrong]()


def as_variables(case: Case, initial_state: State | None) -> dict[str, Any]:
    """What a script reads."""

    def layer(weights: Any) -> dict[str, Any]:
        backward = None if weights.backward is None else layer(weights.backward)
        return {"W": weights.W, "U": weights.U, "b": weights.b, "backward": backward}

    return {
        "layers": [layer(weights) for weights in case.weights.layers],
        "table": case.weights.embedding,
        "inputs": case.inputs,
        "initial_state": None if initial_state is None else list(initial_state),
        "lengths": None,
        "mask": case.mask if case.architecture.masking == "mask" else None,
        "cotangent": {"outputs": case.cotangent.outputs, "final_state": case.cotangent.final_state},
    }


@pytest.mark.parametrize(
    ("model", "way", "started"),
    [
        ("layer", MAIN, False),
        # None in float64: a script for that changes JAX for good.
        *((model, MAIN, True) for model in ("last output", "embedding", "backward", "sum", "mask", "mixed bfloat16")),
        ("mask_zero", MAIN, False),
        *(("mask, bidirectional", way, False) for way in ("predict", "reloaded", "layers", "cells")),
        ("mask", "unrolled", False),
    ],
)
def test_script_of_outputs(
    model: str, way: str, started: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that knows nothing of this suite gives what the adapter gives."""
    monkeypatch.chdir(tmp_path)
    case = case_of(model, mode=way)
    state = case.initial_state if started else None
    names = as_variables(case, state)
    exec(ADAPTER.script(case.architecture, "outputs"), names)
    given = Output(names["outputs"], names.get("final_state"))
    wanted = prepared(case).run(case.inputs, initial_state=state, **case.given)
    assert (given.final_state is None) == (wanted.final_state is None)
    doubles = [tuple(h.astype(np.float64) for h in hs) for hs in wanted.final_state or ()]
    assert_exact(given, Output(wanted.outputs.astype(np.float64), tuple(doubles) or None), case.architecture.dtype)


@pytest.mark.parametrize("model", ["stack", "embedding", "mask, bidirectional", "mixed float16"])
def test_script_of_gradients(model: str) -> None:
    """And so does one for gradients."""
    case = case_of(model)
    state = case.initial_state
    names = as_variables(case, state)
    exec(ADAPTER.script(case.architecture, "gradients"), names)
    wanted = dict(prepared(case).gradients(case.inputs, case.cotangent, initial_state=state, **case.given).arrays())
    assert names["gradients"].keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(names["gradients"][name], array, err_msg=name)


def test_a_script_is_short() -> None:
    """A layer by itself takes a dozen lines, and none of them imports this suite."""
    lines = ADAPTER.script(case_of("layer").architecture, "outputs").split("\n")
    assert len(lines) < 20
    assert not any("rnn_conformance" in line for line in lines)
