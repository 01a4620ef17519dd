"""Weights in the parameters of flax.linen.RNN: how they are loaded, read and run, as a user would write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import linen


def params_of(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of an RNN over SimpleCell: both kernels transposed, and the one bias beside the input kernel."""
    return {"cell": {"i": {"kernel": weights["W"].T, "bias": weights["b"]}, "h": {"kernel": weights["U"].T}}}


def weights_in(params: Mapping[str, Any]) -> dict[str, Any]:
    """W, U and b in such a tree, or in one of gradients."""
    i, h = params["cell"]["i"], params["cell"]["h"]
    return {"W": np.asarray(i["kernel"]).T, "U": np.asarray(h["kernel"]).T, "b": np.asarray(i["bias"])}


def lstm_params_of(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of an RNN over LSTMCell: a layer for each gate, by name; the one bias is beside the recurrent kernel."""
    W, U, b = (np.split(weights[name], 4) for name in ("W", "U", "b"))
    tree: dict[str, Any] = {}
    for k, gate in enumerate("ifgo"):
        tree |= {f"i{gate}": {"kernel": W[k].T}, f"h{gate}": {"kernel": U[k].T, "bias": b[k]}}
    return {"cell": tree}


def lstm_weights_in(params: Mapping[str, Any]) -> dict[str, Any]:
    """W, U and b in such a tree, or in one of gradients."""
    i, h = ([params["cell"][f"{side}{gate}"] for gate in "ifgo"] for side in "ih")
    return {"W": joined(i, "kernel"), "U": joined(h, "kernel"), "b": joined(h, "bias")}


def gru_params_of(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of an RNN over GRUCell: a layer for each gate, by name; the candidate has a recurrent bias c, too."""
    W, U, b = (np.split(weights[name], 3) for name in ("W", "U", "b"))
    tree: dict[str, Any] = {}
    for k, gate in enumerate("zrn"):
        tree |= {f"i{gate}": {"kernel": W[k].T, "bias": b[k]}, f"h{gate}": {"kernel": U[k].T}}
    tree["hn"]["bias"] = weights["c"]
    return {"cell": tree}


def gru_weights_in(params: Mapping[str, Any]) -> dict[str, Any]:
    """W, U, b and c in such a tree, or in one of gradients."""
    i, h = ([params["cell"][f"{side}{gate}"] for gate in "zrn"] for side in "ih")
    c = np.asarray(h[2]["bias"])
    return {"W": joined(i, "kernel"), "U": joined(h, "kernel"), "b": joined(i, "bias"), "c": c}


def joined(layers: Sequence[Mapping[str, Any]], name: str) -> Any:
    """The rows of all gates, from the parameters of that name, which are kept transposed."""
    return np.concatenate([np.asarray(layer[name]).T for layer in layers])


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """flax.linen.RNN."""
    rnn = linen.RNN(linen.SimpleCell(len(W)))

    # Load: the parameters are an argument of each call. JAX copies the arrays.
    params = jax.tree.map(jax.numpy.array, params_of({"W": W, "U": U, "b": b}))

    # Run.
    outputs = np.asarray(rnn.apply({"params": params}, x))

    # Read.
    read = weights_in(params)
    W_read, U_read, b_read = read["W"], read["U"], read["b"]
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """flax.linen.RNN over LSTMCell."""
    rnn = linen.RNN(linen.LSTMCell(U.shape[1]))

    # Load. Here the gates are i, f, g, o; there each has its name.
    params = jax.tree.map(jax.numpy.array, lstm_params_of({"W": W, "U": U, "b": b}))

    # Run.
    outputs = np.asarray(rnn.apply({"params": params}, x))

    # Read.
    read = lstm_weights_in(params)
    W_read, U_read, b_read = read["W"], read["U"], read["b"]
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """flax.linen.RNN over GRUCell."""
    rnn = linen.RNN(linen.GRUCell(U.shape[1]))

    # Load. Here the gates are z, r, n; there each has its name. c, (units,), is the recurrent bias of n.
    params = jax.tree.map(jax.numpy.array, gru_params_of({"W": W, "U": U, "b": b, "c": c}))

    # Run.
    outputs = np.asarray(rnn.apply({"params": params}, x))

    # Read.
    read = gru_weights_in(params)
    W_read, U_read, b_read, c_read = read["W"], read["U"], read["b"], read["c"]
    return outputs, W_read, U_read, b_read, c_read
