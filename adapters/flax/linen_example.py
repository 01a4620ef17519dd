"""W, U and b in the parameters of flax.linen.RNN: how they are loaded, read and run, as a user would write it."""

from __future__ import annotations

from collections.abc import Mapping
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
