"""Weights in mlx.nn.RNN, LSTM and GRU: how they are loaded, read and run, as a user would write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten, tree_unflatten

from rnn_conformance.adapters.gates import z_and_r_swapped


def array_of(array: Any) -> Any:
    """A copy in MLX, which of an array in float64 would make float32; of bfloat16 it is the bits that travel."""
    if str(array.dtype) == "bfloat16":
        return mx.array(array.view(np.uint16)).view(mx.bfloat16)
    return mx.array(array, dtype=mx.float64) if array.dtype == np.float64 else mx.array(array)


def linear(x: Any) -> Any:
    """The activation that changes nothing, of which mlx.nn has no function."""
    return x


def parameters_of(weights: Mapping[str, Any], W: str, U: str, b: str) -> list[tuple[str, Any]]:
    """W, U and, if there is one, b by the names that a layer has for them."""
    named = {W: weights["W"], U: weights["U"], b: weights.get("b")}
    return [(name, array_of(array)) for name, array in named.items() if array is not None]


def rnn_parameters(weights: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Those of an RNN."""
    return parameters_of(weights, "Wxh", "Whh", "bias")


def lstm_parameters(weights: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Those of an LSTM; its gates are i, f, g, o, too."""
    return parameters_of(weights, "Wx", "Wh", "bias")


def gru_parameters(weights: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Those of a GRU; its gates are r, z, n, and c is kept as bhn."""
    swapped = {name: z_and_r_swapped(weights[name]) for name in "WUb" if weights.get(name) is not None}
    return parameters_of(swapped, "Wx", "Wh", "b") + ([("bhn", array_of(weights["c"]))] if "b" in swapped else [])


def rnn_weights_in(layer: Mapping[str, Any]) -> dict[str, Any]:
    """W, U and b among the arrays of an RNN, or among their gradients."""
    return {"W": layer["Wxh"], "U": layer["Whh"], "b": layer.get("bias")}


def lstm_weights_in(layer: Mapping[str, Any]) -> dict[str, Any]:
    """The same of an LSTM."""
    return {"W": layer["Wx"], "U": layer["Wh"], "b": layer.get("bias")}


def gru_weights_in(layer: Mapping[str, Any]) -> dict[str, Any]:
    """W, U, b and c of a GRU."""
    there = {"W": layer["Wx"], "U": layer["Wh"], "b": layer.get("b")}
    swapped = {name: array if array is None else z_and_r_swapped(array) for name, array in there.items()}
    return {**swapped, "c": layer.get("bhn")}


def in_turn(layers: Sequence[Any], x: Any, state: Any) -> tuple[Any, list[Any]]:
    """The outputs of layers one after the other, and the final state of each: an LSTM returns every h and every c."""
    final = []
    for k, layer in enumerate(layers):
        h = () if state is None else state[k][0]
        every = layer(x, *(h if isinstance(h, tuple) else (h,)))
        every = every if isinstance(every, tuple) else (every,)
        x = every[0]
        final.append((tuple(part[..., -1, :] for part in every),))
    return x, final


def gradients_of(model: Any, call: Any, given: Sequence[Any], cotangents: Sequence[Any]) -> tuple[Any, list[Any]]:
    """mx.vjp of `call`, which gives a list of arrays: with respect to the parameters of a model, and to what is given.

    Those of the parameters are a tree, as the parameters are.
    """
    names, arrays = zip(*tree_flatten(model.parameters()), strict=True)

    def called(*arrays: Any) -> Any:
        model.update(tree_unflatten(list(zip(names, arrays, strict=False))))
        return call(*arrays[len(names) :])

    _, found = mx.vjp(called, [*arrays, *given], cotangents)
    model.update(tree_unflatten(list(zip(names, arrays, strict=True))))
    return tree_unflatten(list(zip(names, found, strict=False))), found[len(names) :]


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """mlx.nn.RNN."""
    units, features = W.shape
    rnn = nn.RNN(features, units)

    # Load.
    rnn.load_weights([("Wxh", mx.array(W)), ("Whh", mx.array(U)), ("bias", mx.array(b))])

    # Run.
    outputs = np.array(rnn(mx.array(x)))

    # Read.
    W_read, U_read, b_read = np.array(rnn.Wxh), np.array(rnn.Whh), np.array(rnn.bias)
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """mlx.nn.LSTM."""
    units, features = W.shape[0] // 4, W.shape[1]  # gates i, f, g, o: that is MLX's order, too
    lstm = nn.LSTM(features, units)

    # Load.
    lstm.load_weights([("Wx", mx.array(W)), ("Wh", mx.array(U)), ("bias", mx.array(b))])

    # Run. Every h, and every c.
    outputs, _cells = lstm(mx.array(x))
    outputs = np.array(outputs)

    # Read.
    W_read, U_read, b_read = np.array(lstm.Wx), np.array(lstm.Wh), np.array(lstm.bias)
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """mlx.nn.GRU."""
    units, features = W.shape[0] // 3, W.shape[1]  # gates z, r, n; MLX's order is r, z, n
    gru = nn.GRU(features, units)

    # Load. c, (units,), is the recurrent bias of n.
    gru.load_weights(gru_parameters({"W": W, "U": U, "b": b, "c": c}))

    # Run.
    outputs = np.array(gru(mx.array(x)))

    # Read.
    read = gru_weights_in(gru.parameters())
    W_read, U_read, b_read, c_read = read["W"], read["U"], read["b"], np.array(read["c"])
    return outputs, W_read, U_read, b_read, c_read
