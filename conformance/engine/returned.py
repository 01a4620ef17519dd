"""Whether what a subject returned is what the protocol says, before anybody computes with it.

Each function returns what it was given, and raises NonConforming, naming it and what it should be, for anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from rnn_conformance.adapters.description import DTYPES
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.judging.comparing import NonConforming, check_shape
from rnn_conformance.conformance.judging.outputs import check_states
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import StateShapes, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

Named = Iterable[tuple[str, Array]]
"""Arrays with their names."""


def an_output(method: str, value: Any) -> Output:
    """An Output of arrays of floating-point numbers."""
    result: Output = _instance(method, value, Output)
    _floats("outputs", result.outputs)
    if result.final_state is not None:
        _state("final_state", result.final_state)
    return result


def some_gradients(method: str, value: Any) -> Gradients:
    """Gradients of arrays of floating-point numbers."""
    result: Gradients = _instance(method, value, Gradients)
    some_weights(f"the weights of {method}", result.weights)
    if result.inputs is not None:
        _floats("the gradient of inputs", result.inputs)
    if result.initial_state is not None:
        _state("the gradient of initial_state", result.initial_state)
    return result


def some_weights(method: str, value: Any) -> Weights:
    """Weights of arrays of floating-point numbers."""
    result: Weights = _instance(method, value, Weights)
    for k, layer in enumerate(_tuple(f"layers of {method}", result.layers, "LayerWeights")):
        _layer(f"{method}: layers[{k}]", layer)
    if result.embedding is not None:
        _floats(f"{method}: embedding", result.embedding)
    return result


def an_array(method: str, value: Any) -> Array:
    """An array of floating-point numbers."""
    return _floats(f"what {method} returned", value)


def a_count(method: str, value: Any) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise NonConforming(f"{method} returned {_told(value)}, but should return a whole number")
    return int(value)


def a_symbolic_shape(method: str, value: Any) -> tuple[int | None, ...]:
    """A tuple of whole numbers, and None for each axis of unknown length."""
    axes = _tuple(f"what {method} returned", value, "whole numbers and None")
    return tuple(None if axis is None else a_count(method, axis) for axis in axes)


def symbolic_state_shapes(method: str, value: Any) -> StateShapes:
    """Such shapes, nested like a State."""
    for layer in _tuple(method, value, "layers"):
        for parts in _tuple(method, layer, "directions"):
            _tuple(method, parts, "shapes")
    return each_state(lambda shape: a_symbolic_shape(method, shape), value)


def check_output(architecture: Architecture, inputs: Inputs, output: Output) -> None:
    """Whether outputs and final states have the shapes that these inputs ask for."""
    batch, timesteps = inputs.shape[:2] if architecture.batched else (1, inputs.shape[0])
    check_shape("outputs", output.outputs, network.output_shape(architecture, batch, timesteps))
    if architecture.return_state:
        check_states(architecture, batch, output.final_state)


def check_alike(what: str, found: Named, wanted: Named) -> None:
    """Whether the arrays have the names and the shapes of others."""
    actual, expected = dict(found), {name: array.shape for name, array in wanted}
    if actual.keys() != expected.keys():
        names = ", ".join(sorted(actual)) or "none"
        raise NonConforming(f"{what}s of {names}, but should be of {', '.join(sorted(expected))}")
    for name, shape in expected.items():
        check_shape(f"{what} of {name}", actual[name], shape)


def _instance(method: str, value: Any, wanted: type[Any]) -> Any:
    if not isinstance(value, wanted):
        raise NonConforming(
            f"{method} returned a {type(value).__name__}, but should return an instance of {wanted.__name__}"
        )
    return value


def _layer(name: str, value: Any) -> None:
    layer: LayerWeights = _instance(name, value, LayerWeights)
    if not isinstance(layer.named, Mapping):
        raise NonConforming(f"{name}.named is {_told(layer.named)}, but should be a mapping from names to arrays")
    for part, array in layer.named.items():
        _floats(f"{name}.{part}", array)
    if layer.backward is not None:
        _layer(f"{name}.backward", layer.backward)


def _state(name: str, value: Any) -> None:
    for k, layer in enumerate(_tuple(name, value, "layers")):
        for j, parts in enumerate(_tuple(f"{name}[{k}]", layer, "directions")):
            for array in _tuple(f"{name}[{k}][{j}]", parts, "arrays"):
                _floats(f"{name}[{k}][{j}]", array)


def _tuple(name: str, value: Any, of: str) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise NonConforming(f"{name} is {_told(value)}, but should be a tuple of {of}")
    return value


def _floats(name: str, value: Any) -> Array:
    """An array and no subclass, whose numbers may be masked or matrices; of a dtype that layers have."""
    if type(value) is not np.ndarray:
        raise NonConforming(f"{name} is {_told(value)}, but should be a numpy.ndarray")
    if str(value.dtype) not in DTYPES:
        raise NonConforming(f"{name}.dtype = {value.dtype}, but should be one of {', '.join(DTYPES)}")
    return value


def _told(value: Any) -> str:
    """A value by its type: its own text may be of any length, and raise."""
    return "None" if value is None else f"a {type(value).__name__}"
