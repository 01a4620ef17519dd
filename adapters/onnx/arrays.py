"""What an ONNX model is made of, as its users write it: the weights of an operator, and the model around the nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import helper, numpy_helper


def o_second(array: Any) -> Any:
    """The rows of an LSTM's gates i, f, g, o in ONNX's order: i, o, f, g."""
    i, f, g, o = np.split(array, 4)
    return np.concatenate([i, o, f, g])


def o_last(array: Any) -> Any:
    """The rows of an LSTM's gates i, o, f, g, as ONNX has them, in the order i, f, g, o."""
    i, o, f, g = np.split(array, 4)
    return np.concatenate([i, f, g, o])


def parameters_of(
    directions: Sequence[Mapping[str, Any]], k: int = 0, rows: Callable[[Any], Any] = np.array
) -> dict[str, Any]:
    """W, R and B of operator k, the directions stacked; the two biases stand one behind the other in B."""
    found = {f"{there}_{k}": np.stack([rows(each[here]) for each in directions]) for there, here in ("WW", "RU")}
    if directions[0].get("b") is not None:
        biases = [(each["b"], np.zeros_like(each["b"]) if each.get("c") is None else each["c"]) for each in directions]
        found[f"B_{k}"] = np.stack([np.concatenate([rows(b), rows(c)]) for b, c in biases])
    return found


def weights_in(
    parameters: Mapping[str, Any], k: int = 0, rows: Callable[[Any], Any] = np.array
) -> list[dict[str, Any]]:
    """W, U, b and c of each direction of operator k."""
    found = []
    for j, (W, R) in enumerate(zip(parameters[f"W_{k}"], parameters[f"R_{k}"], strict=True)):
        arrays = {"W": rows(W), "U": rows(R)}
        if f"B_{k}" in parameters:
            b, c = np.split(parameters[f"B_{k}"][j], 2)
            arrays |= {"b": rows(b), "c": rows(c)}
        found.append(arrays)
    return found


def value(name: str, dtype: Any, shape: Any) -> Any:
    """What a model reads or gives; an axis of any length has a name, and a shape may be None."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


def model_of(nodes: Sequence[Any], arrays: Mapping[str, Any], reads: Sequence[Any], gives: Sequence[Any]) -> Any:
    """A model of these nodes, which keeps these arrays."""
    kept = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "model", reads, gives, kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def one_operator(name: str, weights: Mapping[str, Any], **options: Any) -> Any:
    """A model of one operator, from x (timesteps, batch, features) to y (timesteps, directions, batch, units)."""
    W = weights["W_0"]
    node = helper.make_node(name, ["x", *weights], ["y"], **options)
    x, y = value("x", W.dtype, ["timesteps", "batch", W.shape[-1]]), value("y", W.dtype, None)
    return model_of([node], weights, [x], [y])


def kept_in(model: Any) -> dict[str, Any]:
    """The arrays that a model keeps, by name."""
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
