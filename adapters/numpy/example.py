"""The recurrence of each cell, as a loop."""

from __future__ import annotations

from typing import Any

import numpy as np


def sigmoid(z: Any) -> Any:
    """The logistic function."""
    return 1 / (1 + np.exp(-z))


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """The recurrence itself."""
    # Load. A loop reads the arrays as they are.
    params = {"W": W, "U": U, "b": b}

    # Run.
    h = np.zeros((len(x), len(W)), x.dtype)
    steps = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ params["W"].T + h @ params["U"].T + params["b"])
        steps.append(h)
    outputs = np.stack(steps, axis=1)

    # Read.
    W_read, U_read, b_read = params["W"], params["U"], params["b"]
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """The recurrence of an LSTM."""
    # Load. A loop reads the arrays as they are, with gates i, f, g, o.
    params = {"W": W, "U": U, "b": b}

    # Run.
    h = c = np.zeros((len(x), U.shape[1]), x.dtype)
    steps = []
    for t in range(x.shape[1]):
        z = x[:, t] @ params["W"].T + h @ params["U"].T + params["b"]
        i, f, g, o = np.split(z, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        steps.append(h)
    outputs = np.stack(steps, axis=1)

    # Read.
    W_read, U_read, b_read = params["W"], params["U"], params["b"]
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The recurrence of a GRU, which multiplies with the reset gate after the product with U."""
    # Load. A loop reads the arrays as they are, with gates z, r, n.
    params = {"W": W, "U": U, "b": b, "c": c}

    # Run.
    h = np.zeros((len(x), U.shape[1]), x.dtype)
    steps = []
    for t in range(x.shape[1]):
        x_z, x_r, x_n = np.split(x[:, t] @ params["W"].T + params["b"], 3, axis=-1)
        h_z, h_r, h_n = np.split(h @ params["U"].T + params["c"], 3, axis=-1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        h = z * h + (1 - z) * np.tanh(x_n + r * h_n)
        steps.append(h)
    outputs = np.stack(steps, axis=1)

    # Read.
    W_read, U_read, b_read, c_read = (params[name] for name in "WUbc")
    return outputs, W_read, U_read, b_read, c_read
