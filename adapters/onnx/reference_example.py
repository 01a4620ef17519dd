"""Recurrent operators in ONNX's reference evaluator, as its users write them."""

from __future__ import annotations

from typing import Any

from onnx.reference import ReferenceEvaluator

from rnn_conformance.adapters.onnx.arrays import kept_in, o_last, o_second, one_operator, parameters_of, weights_in


def evaluated(model: Any, x: Any) -> Any:
    """What a model gives as y."""
    (y,) = ReferenceEvaluator(model).run(["y"], {"x": x})
    return y


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """The operator RNN."""
    # Load.
    model = one_operator("RNN", parameters_of([{"W": W, "U": U, "b": b}]), hidden_size=len(W))

    # Run. Time comes first, and the second axis of y is that of the directions.
    y = evaluated(model, x.swapaxes(0, 1))
    outputs = y[:, 0].swapaxes(0, 1)

    # Read. An operator adds two biases: b is their sum.
    (read,) = weights_in(kept_in(model))
    W_read, U_read, b_read = read["W"], read["U"], read["b"] + read["c"]
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The operator LSTM."""
    # Load. The gates are i, f, g, o; ONNX's order is i, o, f, g.
    weights = parameters_of([{"W": W, "U": U, "b": b, "c": c}], rows=o_second)
    model = one_operator("LSTM", weights, hidden_size=len(W) // 4)

    # Run. Time comes first, and the second axis of y is that of the directions.
    y = evaluated(model, x.swapaxes(0, 1))
    outputs = y[:, 0].swapaxes(0, 1)

    # Read. An operator adds two biases.
    (read,) = weights_in(kept_in(model), rows=o_last)
    W_read, U_read, b_read, c_read = (read[name] for name in "WUbc")
    return outputs, W_read, U_read, b_read, c_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The operator GRU, which multiplies with r before the product with U unless it is told otherwise."""
    # Load. The gates are z, r, n: that is ONNX's order, too.
    weights = parameters_of([{"W": W, "U": U, "b": b, "c": c}])
    model = one_operator("GRU", weights, hidden_size=len(W) // 3, linear_before_reset=1)

    # Run. Time comes first, and the second axis of y is that of the directions.
    y = evaluated(model, x.swapaxes(0, 1))
    outputs = y[:, 0].swapaxes(0, 1)

    # Read. That of n in c_read is multiplied by r, and so is no part of b.
    (read,) = weights_in(kept_in(model))
    W_read, U_read, b_read, c_read = (read[name] for name in "WUbc")
    return outputs, W_read, U_read, b_read, c_read
