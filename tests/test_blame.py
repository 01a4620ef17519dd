"""Whose exception it is: a refusal is the framework's, a mistake in the adapter's own code is none."""

from __future__ import annotations

import json
from typing import NoReturn

import numpy as np
import pytest
from concluding import concluded

from rnn_conformance.adapters.function import FunctionAdapter, from_function
from rnn_conformance.adapters.numpy.adapter import adapter as numpy_adapter
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.engine.blame import home_of
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Weights


def _on_purpose(inputs: Inputs, features: int) -> NoReturn:
    raise TypeError(f"{inputs.shape[-1]} features, but the layer reads {features}")


def _with_assert(inputs: Inputs, features: int) -> None:
    assert inputs.shape[-1] == features


def _with_numpy(inputs: Inputs, features: int) -> None:
    np.zeros((1, features)) @ inputs[0].T


def _beyond_the_end(inputs: Inputs, features: int) -> None:
    [0.0] * features + inputs[0, 0][np.arange(max(features, inputs.shape[-1]) + 1)]


def _in_a_framework(inputs: Inputs, features: int) -> None:
    json.dumps(inputs)  # a TypeError, but of json


def _no_such_name(inputs: Inputs, features: int) -> None:
    inputs.number_of_features()  # type: ignore[attr-defined]


def _wrong_operand(inputs: Inputs, features: int) -> None:
    None + features  # type: ignore[operator]


def _wrong_call(inputs: Inputs, features: int) -> None:
    _with_assert(inputs)  # type: ignore[call-arg]


def _refusing(how: object) -> FunctionAdapter:
    """A layer that does not take inputs with a wrong number of features: it calls `how`."""

    def run(architecture: Architecture, weights: Weights, inputs: Inputs, state: State | None) -> Output:
        features = architecture.layers[0].features
        if architecture.embedding is None and inputs.shape[-1] != features:
            how(inputs, features)  # type: ignore[operator]
        return network.run(architecture, weights, inputs, state)

    return from_function(run)


@pytest.mark.parametrize("how", [_on_purpose, _with_assert, _with_numpy, _beyond_the_end, _in_a_framework])
def test_refusals(how: object) -> None:
    """What is raised on purpose, by compiled code in a layer's own lines, or below in a framework, is a refusal."""
    assert concluded(_refusing(how), "test_refusals.py::test_wrong_number_of_features").verdict == "conforms"


@pytest.mark.parametrize(
    ("how", "line"),
    [
        (_no_such_name, "inputs.number_of_features()"),
        (_wrong_operand, "None + features"),
        (_wrong_call, "_with_assert(inputs)"),
    ],
)
def test_mistakes(how: object, line: str) -> None:
    """What Python raises because the adapter's code is wrong refuses nothing: the record says where that is."""
    record = concluded(_refusing(how), "test_refusals.py::test_wrong_number_of_features")
    assert record.verdict == "broken"
    assert f"which is no refusal but a mistake in {__file__.rpartition('/')[2]}, line " in record.message
    assert line in record.message
    assert "Traceback" not in record.message


def test_mistake_elsewhere_is_a_failure() -> None:
    """Where nothing should be refused, it does not matter whose exception it is: there is a case to look at."""

    def run(architecture: Architecture, weights: Weights, inputs: Inputs, state: State | None) -> Output:
        return Output(inputs.no_such_thing)  # type: ignore[attr-defined]

    record = concluded(from_function(run), "test_values.py::test_recurrence")
    assert record.verdict == "fails"
    assert "run raised AttributeError" in record.message
    assert record.case


def test_home_of_an_adapter() -> None:
    """Its package; or of what is made of a function, that function's."""
    assert home_of(numpy_adapter) == "rnn_conformance.adapters.numpy"
    assert home_of(catalogue()["bias-twice"].adapter()) == "rnn_conformance.conformance.mutants"
    assert home_of(_refusing(_no_such_name)) == __name__
