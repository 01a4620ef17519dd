"""The NumPy adapter: the reference with every feature of the protocol, in each dtype and under each choice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from rnn_conformance.adapters.description import DTYPES, EXTRAS
from rnn_conformance.adapters.numpy.adapter import NumpyAdapter, adapter
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Choices, Embedding, Layer
from rnn_conformance.reference.model.states import flat
from rnn_conformance.reference.model.weights import LayerWeights, Weights

LAYERS = (Layer(3, 4), Layer(4, 2, SimpleRnn("relu"), use_bias=False))


def case_of(**how: Any) -> Case:
    """Two sequences of five timesteps."""
    return Case(Architecture(how.pop("layers", LAYERS), **how), 2, 5, "unit", 1, how.get("pattern", ""))


def loaded(case: Case, of: NumpyAdapter = adapter) -> Any:
    prepared = of.prepare(case.architecture)
    prepared.load(case.weights)
    return prepared


def test_every_feature_is_offered() -> None:
    """Nothing of the protocol is left out, so no check of the suite is without a subject."""
    description = adapter.describe()
    assert description.offers == EXTRAS
    assert set(description.precision) == set(DTYPES)
    assert not description.unsupported


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ["eager", "reloaded"])
def test_dtypes(dtype: str, mode: str) -> None:
    """Outputs, states and gradients have the dtype of the layer, also after saving and loading."""
    case = case_of(dtype=dtype, mode=mode, return_state=True)
    prepared = loaded(case)
    for (_, array), (_, given) in zip(prepared.weights().arrays(), case.weights.arrays(), strict=True):
        np.testing.assert_array_equal(array, given)
    output = prepared.run(case.inputs)
    gradients = prepared.gradients(case.inputs, case.cotangent, initial_state=case.initial_state)
    arrays = [output.outputs, *flat(output.final_state), *(array for _, array in gradients.arrays())]
    assert {array.dtype for array in arrays} == {dtype_of(dtype)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_the_reference(dtype: str) -> None:
    """A call gives the bits of the reference."""
    case = case_of(dtype=dtype)
    expected = network.run(case.architecture, case.weights, case.inputs)
    np.testing.assert_array_equal(loaded(case).run(case.inputs).outputs, expected.outputs)


def test_mixed_precision() -> None:
    """Weights are kept in float32 and used as if rounded to bfloat16."""
    case = case_of(dtype="bfloat16", weights_dtype="float32")
    prepared = loaded(case)
    assert prepared.weights().layers[0].W.dtype == np.float32
    assert prepared.used().layers[0].W.tolist() == case.weights.layers[0].W.astype(ml_dtypes.bfloat16).tolist()
    assert prepared.run(case.inputs).outputs.dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize(("padded", "third"), [("zero", 0.0), ("repeat", 3.0), ("continue", 7.0)])
def test_padded_outputs_are_a_choice(padded: str, third: float) -> None:
    """A layer that adds up what it reads shows what the choice makes of the timestep behind the end."""
    adder = Architecture((Layer(1, 1, SimpleRnn("linear"), use_bias=False),), dtype="float64", masking="lengths")
    prepared = NumpyAdapter(Choices(padded_outputs=padded)).prepare(adder)
    prepared.load(Weights((LayerWeights({"W": np.ones((1, 1)), "U": np.ones((1, 1))}),)))
    outputs = prepared.run(np.array([[[1.0], [2.0], [4.0]]]), lengths=np.array([2], np.int32)).outputs
    assert outputs.ravel().tolist() == [1, 3, third]


@pytest.mark.parametrize(("order", "outputs"), [("aligned", [7, 6, 4]), ("processing", [4, 6, 7])])
def test_order_of_backward_outputs_is_a_choice(order: str, outputs: list[float]) -> None:
    """A backward layer that adds up what it reads shows in which order its outputs stand."""
    adder = Architecture((Layer(1, 1, SimpleRnn("linear"), use_bias=False, direction="backward"),), dtype="float64")
    prepared = NumpyAdapter(Choices(backward_outputs=order)).prepare(adder)
    prepared.load(Weights((LayerWeights({"W": np.ones((1, 1)), "U": np.ones((1, 1))}),)))
    assert prepared.run(np.array([[[1.0], [2.0], [4.0]]])).outputs.ravel().tolist() == outputs


@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
@pytest.mark.parametrize("mask", ["fixed", "fresh"])
@pytest.mark.parametrize("direction", ["forward", "backward", "bidirectional"])
def test_dropout(rates: dict[str, float], mask: str, direction: str) -> None:
    """Dropout has an effect in training only, follows from the seed, and at rate 0 changes no bit."""
    case = case_of(layers=(replace(LAYERS[0], direction=direction, **rates),), return_state=True)
    prepared = loaded(case, NumpyAdapter(Choices(dropout_mask=mask)))
    outputs = prepared.run_training(case.inputs, 1).outputs
    np.testing.assert_array_equal(outputs, prepared.run_training(case.inputs, 1).outputs)
    assert (outputs != prepared.run_training(case.inputs, 2).outputs).any()
    assert (outputs != prepared.run(case.inputs).outputs).any()
    without = case_of(layers=(replace(LAYERS[0], direction=direction),), return_state=True)
    plain = loaded(without)
    np.testing.assert_array_equal(plain.run_training(case.inputs, 1).outputs, prepared.run(case.inputs).outputs)


def test_stateful() -> None:
    """Two calls of a stateful model are one call on the whole sequence, until it is reset."""
    case = case_of(stateful=True, batch=2)
    prepared = loaded(case)
    whole = network.run(case.architecture, case.weights, case.inputs).outputs
    first, second = prepared.run(case.inputs[:, :2]).outputs, prepared.run(case.inputs[:, 2:]).outputs
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=1e-6)
    prepared.reset()
    np.testing.assert_array_equal(prepared.run(case.inputs[:, :2]).outputs, first)


def test_training_step_by_hand() -> None:
    """W = 2, x = 3, target 5: the error is 1, its gradient 2 * 1 * 3 = 6, and at rate 1/2 W becomes -1."""
    one = Architecture((Layer(1, 1, SimpleRnn("linear"), use_bias=False),), dtype="float64")
    prepared = adapter.prepare(one)
    prepared.load(Weights((LayerWeights({"W": np.array([[2.0]]), "U": np.array([[0.0]])}),)))
    prepared.train(np.array([[[3.0]]]), np.array([[[5.0]]]), 0.5)
    assert prepared.weights().layers[0].W.tolist() == [[-1.0]]


def test_shapes_without_data() -> None:
    """Symbolic shapes of outputs and states are those of clauses 2.6 and 2.7."""
    model = Architecture((replace(LAYERS[0], direction="bidirectional"),), Embedding(7, 3), return_state=True)
    prepared = adapter.prepare(model)
    assert prepared.symbolic_shape() == (None, None, 8)
    assert prepared.symbolic_state_shapes() == ((((None, 4),), ((None, 4),)),)


def test_loaded_arrays_stay_the_callers() -> None:
    """What the caller writes later into an array that was loaded, or read back, has no effect."""
    case = case_of()
    weights = Weights(tuple(layer.with_arrays(W=layer.W.copy()) for layer in case.weights.layers))
    prepared = adapter.prepare(case.architecture)
    prepared.load(weights)
    before = prepared.run(case.inputs).outputs
    weights.layers[0].W[...] = 0
    prepared.weights().layers[0].W[...] = 0
    np.testing.assert_array_equal(prepared.run(case.inputs).outputs, before)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"inputs": np.zeros((2, 5, 4), np.float32)}, "for 3 axes and 3 features"),
        ({"inputs": np.zeros((5, 3), np.float32)}, "for 3 axes and 3 features"),
        (
            {"initial_state": (((np.zeros((1, 4), np.float32),),), ((np.zeros((2, 2), np.float32),),))},
            "the initial state",
        ),
        ({"initial_state": (((np.zeros((2, 4), np.float32),),),)}, "the initial state"),
        ({"lengths": np.array([6, 1], np.int32)}, "between 0 and 5"),
        ({"lengths": np.array([-1, 1], np.int32)}, "between 0 and 5"),
        ({"lengths": np.array([1], np.int32)}, "lengths has the shape"),
        ({"mask": np.ones((2, 4), np.bool_)}, "the mask has the shape"),
    ],
)
def test_calls_that_are_refused(changed: dict[str, Any], message: str) -> None:
    """Nothing is broadcast or cut: the message says what there is and what there should be."""
    case = case_of(masking="mask")
    with pytest.raises(ValueError, match=message):
        loaded(case).run(**{"inputs": case.inputs, **changed})


def test_weights_that_are_refused() -> None:
    """A kernel of another shape is not loaded, nor a bias for a layer without one."""
    case = case_of()
    first, second = case.weights.layers
    for wrong in (
        first.with_arrays(W=first.W[:, :1]),
        first.with_arrays(U=first.U[:1]),
        first.with_arrays(b=first.b[:1]),
    ):
        with pytest.raises(ValueError, match="the weights have the shapes"):
            adapter.prepare(case.architecture).load(Weights((wrong, second)))
    with pytest.raises(ValueError, match="the weights have the shapes"):
        adapter.prepare(case.architecture).load(Weights((first, second.with_arrays(b=first.b[:2]))))


def test_nothing_loaded() -> None:
    """A model without weights says so."""
    with pytest.raises(RuntimeError, match="no weights are loaded"):
        adapter.prepare(case_of().architecture).run(case_of().inputs)
