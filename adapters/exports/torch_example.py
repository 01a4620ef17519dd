"""Layers of PyTorch as a model of ONNX: exported, run in ONNX Runtime and read, as a user would write it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import onnxruntime
import torch
from onnx import numpy_helper

from rnn_conformance.adapters.gates import z_and_r_swapped
from rnn_conformance.adapters.torch.example import gru_state_of, parts, state_of


def whole(rnns: Iterable[torch.nn.Module], embedding: torch.nn.Module | None = None) -> torch.nn.Module:
    """A module of all layers: from x and, if any are given, each h_0 (and c_0) to y and each h_n (and c_n)."""

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers, self.embedding = torch.nn.ModuleList(rnns), embedding

        def forward(self, x: Any, *states: Any) -> Any:
            final: list[Any] = []
            rest = list(states)
            y = x if self.embedding is None else self.embedding(x)
            for rnn in self.layers:
                count = 2 if rnn.mode == "LSTM" else 1
                given, rest = tuple(rest[:count]), rest[count:]
                y, h_n = rnn(y, (given if count == 2 else given[0]) if given else None)
                final += parts(h_n)
            return y, *final

    return Whole().eval()


def exported(module: torch.nn.Module, given: list[Any], axes: Any = None) -> Any:
    """A model of ONNX for the sizes of what is given, but for `axes`: of each that is given, the names of open ones.

    The parameters keep their names, as initializers.
    """
    names = ["x", *(f"state_{k}" for k in range(len(given) - 1))]
    shapes = None if axes is None else (axes[0], *([tuple(axes[1:])] if axes[1:] else []))
    how: dict[str, Any] = {"input_names": names, "dynamic_shapes": shapes, "optimize": False, "verbose": False}
    program: Any = torch.onnx.export(module, tuple(given), dynamo=True, **how)
    return program.model_proto


def with_parameters(model: Any, parameters: Mapping[str, torch.Tensor]) -> Any:
    """The same model with other parameters, as if it had been exported with these."""
    for initializer in model.graph.initializer:
        if initializer.name in parameters:
            array = parameters[initializer.name].detach().numpy()
            initializer.CopyFrom(numpy_helper.from_array(array, initializer.name))
    return model


def parameters_in(model: Any) -> dict[str, Any]:
    """The arrays that a model keeps, by name."""
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def run(model: Any, given: list[Any]) -> list[Any]:
    """What it gives in ONNX Runtime."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return session.run(None, dict(zip(names, given, strict=True)))


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """torch.nn.RNN, exported with a batch of any size."""
    units, features = W.shape
    rnn = torch.nn.RNN(features, units, batch_first=True)

    # Load.
    rnn.load_state_dict(state_of({"W": W, "U": U, "b": b}))

    # Export.
    model = exported(whole([rnn]), [torch.zeros(2, *x.shape[1:])], [{0: torch.export.Dim("batch")}])

    # Run.
    outputs, _h_n = run(model, [x])

    # Read. b is the sum of two biases.
    read = parameters_in(model)
    W_read, U_read = read["layers.0.weight_ih_l0"], read["layers.0.weight_hh_l0"]
    b_read = read["layers.0.bias_ih_l0"] + read["layers.0.bias_hh_l0"]
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """torch.nn.LSTM, exported with a batch of any size."""
    units, features = W.shape[0] // 4, W.shape[1]  # gates i, f, g, o: in the model of ONNX they are i, o, f, g
    lstm = torch.nn.LSTM(features, units, batch_first=True)

    # Load.
    lstm.load_state_dict(state_of({"W": W, "U": U, "b": b, "c": c}))

    # Export.
    model = exported(whole([lstm]), [torch.zeros(2, *x.shape[1:])], [{0: torch.export.Dim("batch")}])

    # Run.
    outputs, _h_n, _c_n = run(model, [x])

    # Read. The parameters are as PyTorch has them; the operator is given what nodes make of them.
    read = parameters_in(model)
    W_read, U_read = read["layers.0.weight_ih_l0"], read["layers.0.weight_hh_l0"]
    b_read, c_read = read["layers.0.bias_ih_l0"], read["layers.0.bias_hh_l0"]
    return outputs, W_read, U_read, b_read, c_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """torch.nn.GRU, exported with a batch of any size."""
    units, features = W.shape[0] // 3, W.shape[1]  # gates z, r, n; PyTorch's order is r, z, n
    gru = torch.nn.GRU(features, units, batch_first=True)

    # Load.
    gru.load_state_dict(gru_state_of({"W": W, "U": U, "b": b, "c": c}))

    # Export.
    model = exported(whole([gru]), [torch.zeros(2, *x.shape[1:])], [{0: torch.export.Dim("batch")}])

    # Run.
    outputs, _h_n = run(model, [x])

    # Read. The parameters are as PyTorch has them; the operator is given what nodes make of them.
    read = {name: z_and_r_swapped(array) for name, array in parameters_in(model).items() if "layers" in name}
    W_read, U_read = read["layers.0.weight_ih_l0"], read["layers.0.weight_hh_l0"]
    b_read, c_read = read["layers.0.bias_ih_l0"], read["layers.0.bias_hh_l0"]
    return outputs, W_read, U_read, b_read, c_read
