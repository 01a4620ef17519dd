"""Compiled models of OpenVINO and interpreters of LiteRT as functions of a recurrent layer: no weights are read."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Canonical
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array

Run = Callable[[Sequence[Any]], Sequence[Any]]
"""What gives the outputs of a model for its inputs, both in order."""

_LITERT = ("ai_edge_litert.", "tensorflow.lite.", "tflite_runtime.")
"""Where an Interpreter of LiteRT may come from."""


def is_held(model: Any) -> bool:
    """Whether a runtime holds this model, so that `opened` makes a function of it."""
    return _is_openvino(model) or _is_litert(model)


def opened(model: Any, canonical: Canonical) -> Callable[..., Any]:
    """A function of the inputs and perhaps an initial state, for a model that `is_held`.

    It gives the outputs, or a pair of these and the final state if the model puts that out, whose parts may be arrays
    (batch, units) in the order of layers, directions and parts, or one of each part with all layers and directions
    along its first axis. It raises ValueError where the model has other inputs or outputs than that.
    """
    ranks, run = _openvino(model) if _is_openvino(model) else _litert(model)

    def function(inputs: Any, initial_state: State | None = None, **others: Any) -> Any:
        if others:
            raise ValueError(f"of {' and '.join(others)} a {name} knows nothing: give a function that hands them over")
        started = [] if initial_state is None else _flat(initial_state, ranks[1:])
        if len(started) != len(ranks) - 1:
            raise ValueError(
                f"the model reads {len(ranks)} arrays, and is given {1 + len(started)}: the first is the layer's "
                "input, the others are the initial state"
            )
        outputs, *final = run([np.asarray(inputs), *started])
        return (np.asarray(outputs), nested(final, canonical)) if final else np.asarray(outputs)

    name = function.__name__ = type(model).__name__
    return function


def nested(arrays: Sequence[Any], canonical: Canonical) -> State:
    """The arrays of a final state by layer, direction and part. Raises ValueError where these are not all of them."""
    layers = canonical.architecture.layers
    parts = len(layers[0].cell.parts)
    directions = [1 + layer.is_bidirectional for layer in layers]
    if all(np.ndim(array) == 3 for array in arrays):
        arrays = [part for each in zip(*arrays, strict=True) for part in each]
    if len(arrays) != sum(directions) * parts:
        raise ValueError(
            f"the model puts out {len(arrays)} arrays beside its outputs, and the final state of "
            f"{canonical.architecture} has {sum(directions) * parts}"
        )
    left = iter(np.asarray(array) for array in arrays)
    return tuple(tuple(tuple(next(left) for _ in range(parts)) for _ in range(count)) for count in directions)


def _flat(state: State, ranks: Sequence[int]) -> list[Array]:
    """The arrays of an initial state as a model reads them: each by itself, or all layers and directions in one."""
    directions = [parts for layer in state for parts in layer]
    if ranks and all(rank == 3 for rank in ranks):
        return [np.stack(part) for part in zip(*directions, strict=True)]
    return [array for parts in directions for array in parts]


def _is_openvino(model: Any) -> bool:
    if "openvino" not in sys.modules:
        return False
    import openvino

    return isinstance(model, openvino.CompiledModel)


def _is_litert(model: Any) -> bool:
    return type(model).__name__ == "Interpreter" and type(model).__module__.startswith(_LITERT)


def _openvino(model: Any) -> tuple[Sequence[int], Run]:
    """The ranks of its inputs, and what runs it."""
    types = [each.get_element_type().to_dtype() for each in model.inputs]

    def run(given: Sequence[Any]) -> Sequence[Any]:
        results = model([array.astype(dtype) for array, dtype in zip(given, types, strict=True)])
        return [np.array(results[output]) for output in model.outputs]

    return [each.get_partial_shape().rank.get_length() for each in model.inputs], run


def _litert(model: Any) -> tuple[Sequence[int], Run]:
    """The same; it is made ready anew for the shapes of each call, and its outputs are in the order of their names."""
    inputs = model.get_input_details()

    def run(given: Sequence[Any]) -> Sequence[Any]:
        for array, detail in zip(given, inputs, strict=True):
            model.resize_tensor_input(detail["index"], array.shape)
        model.allocate_tensors()
        for array, detail in zip(given, inputs, strict=True):
            model.set_tensor(detail["index"], array.astype(detail["dtype"]))
        model.invoke()
        outputs = sorted(model.get_output_details(), key=lambda detail: _in_order(detail["name"]))
        return [np.array(model.get_tensor(detail["index"])) for detail in outputs]

    return [len(detail["shape_signature"]) for detail in inputs], run


def _in_order(name: str) -> list[tuple[int, str]]:
    """What sorts names with numbers in them by these: ``PartitionedCall:10`` comes after ``PartitionedCall:2``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
