"""Weights in torch.nn.RNN, LSTM and GRU: their names there, how one loads, reads and runs them, as a user would."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rnn_conformance.adapters.gates import z_and_r_swapped


def tensor(array: np.ndarray) -> torch.Tensor:
    """A copy of an array; of bfloat16, which is no dtype of NumPy's own, it is the bits that travel."""
    if str(array.dtype) == "bfloat16":
        return torch.tensor(array.view(np.int16)).view(torch.bfloat16)
    return torch.tensor(array)


def in_numpy(tensor: torch.Tensor) -> Any:
    """The tensor as an array; of bfloat16, which NumPy lacks, it is one of ml_dtypes."""
    if tensor.dtype == torch.bfloat16:
        import ml_dtypes

        return tensor.detach().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.detach().numpy()


def state_of(weights: Mapping[str, Any], where: str = "{}_l0") -> dict[str, torch.Tensor]:
    """The arrays by PyTorch's names. It adds two biases: where there is no recurrent bias c, the other one is zero."""
    b, c, P = (weights.get(name) for name in "bcP")
    second = np.zeros_like(b) if c is None and b is not None else c
    there = {"weight_ih": weights["W"], "weight_hh": weights["U"], "bias_ih": b, "bias_hh": second, "weight_hr": P}
    return {where.format(name): tensor(array) for name, array in there.items() if array is not None}


def gru_state_of(weights: Mapping[str, Any], where: str = "{}_l0") -> dict[str, torch.Tensor]:
    """The arrays of a GRU by PyTorch's names, their gates in its order."""
    there = {name: weights[name] for name in "WUbc" if weights.get(name) is not None}
    return state_of({name: z_and_r_swapped(array) for name, array in there.items()}, where)


def parts(state: Any) -> tuple[Any, ...]:
    """The parts of a state: h alone, or (h, c) for an LSTM."""
    return state if isinstance(state, tuple) else (state,)


def each_part(change: Callable[[Any], Any], state: Any) -> Any:
    """A state whose every part is changed."""
    return tuple(map(change, state)) if isinstance(state, tuple) else change(state)


def stacked(states: Any) -> Any:
    """The states of several layers and directions as PyTorch has them: h_0, or (h_0, c_0) for an LSTM."""
    return tuple(map(torch.stack, zip(*states, strict=True))) if isinstance(states[0], tuple) else torch.stack(states)


def unstacked(state: Any) -> list[Any]:
    """The states of several layers and directions, from h_n or (h_n, c_n)."""
    return list(zip(*state, strict=True)) if isinstance(state, tuple) else list(state)


def in_turn(rnns: Iterable[Any], x: Any, state: Any) -> tuple[Any, list[Any]]:
    """The outputs of layers one after the other, each called once, and of each the final state of each direction."""
    final = []
    for k, rnn in enumerate(rnns):
        x, h_n = rnn(x, None if state is None else stacked(state[k]))
        final.append(unstacked(h_n))
    return x, final


def stepped(cells: Sequence[Any], x: Any, state: Any) -> tuple[Any, list[Any]]:
    """The same of cells, each called once a timestep; they have one direction."""
    final = []
    given = [None] * len(cells) if state is None else [h for (h,) in state]
    for cell, h in zip(cells, given, strict=True):
        outputs = []
        for x_t in x.unbind(-2):
            h = cell(x_t, h)
            outputs.append(parts(h)[0])
        x = torch.stack(outputs, -2)
        final.append((h,))
    return x, final


def functional(rnns: Iterable[torch.nn.Module], weights: Mapping[str, torch.Tensor]) -> list[Callable[[Any, Any], Any]]:
    """Modules as functions of weights, whose names begin with the number of the module."""

    def function(k: int, rnn: torch.nn.Module) -> Callable[[Any, Any], Any]:
        own = {name.removeprefix(f"{k}."): w for name, w in weights.items() if name.startswith(f"{k}.")}
        return lambda x, h_0: torch.func.functional_call(rnn, own, (x, h_0))

    return [function(k, rnn) for k, rnn in enumerate(rnns)]


def kernels(model: torch.nn.Module) -> list[tuple[torch.nn.Module, str]]:
    """The module and the attribute of each kernel."""
    names = [name.rpartition(".") for name, _ in model.named_parameters() if "weight_" in name]
    return [(model.get_submodule(where), attribute) for where, _, attribute in names]


def transposed_module() -> torch.nn.Module:
    """A parametrisation by the transposed matrix, for torch.nn.utils.parametrize."""

    class Transposed(torch.nn.Module):
        def forward(self, matrix: torch.Tensor) -> torch.Tensor:
            return matrix.mT

        def right_inverse(self, matrix: torch.Tensor) -> torch.Tensor:
            return matrix.mT.clone(memory_format=torch.contiguous_format)

    return Transposed()


def exported(rnn: torch.nn.Module) -> Callable[[Any, Any], Any]:
    """A module that is exported when it is called, for the sizes that it is called with."""
    return lambda x, h_0: torch.export.export(rnn, (x, h_0)).module()(x, h_0)


def openly_exported(rnn: torch.nn.Module) -> Callable[[Any, Any], Any]:
    """The same for every size of batch."""
    return lambda x, h_0: exported_with_open_batch(rnn, x, h_0)(x, h_0)


def exported_with_open_batch(rnn: torch.nn.Module, x: torch.Tensor, h_0: Any) -> torch.nn.Module:
    """torch.export of a module for every size of batch, from zeros for another than that of `x` and `h_0`."""
    batch, other = torch.export.Dim("batch"), 3 if len(x) == 2 else 2
    state = None if h_0 is None else each_part(lambda h: h.new_zeros(len(h), other, h.shape[-1]), h_0)
    open_axes = ({0: batch}, None if h_0 is None else each_part(lambda h: {1: batch}, h_0))
    zeros = x.new_zeros(other, *x.shape[1:])
    program: torch.nn.Module = torch.export.export(rnn, (zeros, state), dynamic_shapes=open_axes).module()
    return program


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """torch.nn.RNN."""
    units, features = W.shape
    rnn = torch.nn.RNN(features, units, batch_first=True)

    # Load.
    rnn.load_state_dict(state_of({"W": W, "U": U, "b": b}))

    # Run.
    with torch.no_grad():
        outputs, _ = rnn(torch.tensor(x))
    outputs = outputs.numpy()

    # Read. In a layer that was trained, neither bias is zero: b is their sum.
    read = {name: tensor.numpy() for name, tensor in rnn.state_dict().items()}
    W_read, U_read = read["weight_ih_l0"], read["weight_hh_l0"]
    b_read = read["bias_ih_l0"] + read["bias_hh_l0"]
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """torch.nn.LSTM."""
    units, features = W.shape[0] // 4, W.shape[1]  # gates i, f, g, o: that is PyTorch's order, too
    lstm = torch.nn.LSTM(features, units, batch_first=True)

    # Load.
    lstm.load_state_dict(state_of({"W": W, "U": U, "b": b, "c": c}))

    # Run.
    with torch.no_grad():
        outputs, (_h_n, _c_n) = lstm(torch.tensor(x))
    outputs = outputs.numpy()

    # Read. The two biases are added: a layer that has one takes their sum.
    read = {name: tensor.numpy() for name, tensor in lstm.state_dict().items()}
    W_read, U_read = read["weight_ih_l0"], read["weight_hh_l0"]
    b_read, c_read = read["bias_ih_l0"], read["bias_hh_l0"]
    return outputs, W_read, U_read, b_read, c_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """torch.nn.GRU."""
    units, features = W.shape[0] // 3, W.shape[1]  # gates z, r, n; PyTorch's order is r, z, n
    gru = torch.nn.GRU(features, units, batch_first=True)

    # Load.
    gru.load_state_dict(gru_state_of({"W": W, "U": U, "b": b, "c": c}))

    # Run.
    with torch.no_grad():
        outputs, _ = gru(torch.tensor(x))
    outputs = outputs.numpy()

    # Read. Of z and r the two biases are added; that of n in c_read is multiplied by r, and so is no part of b.
    read = {name: z_and_r_swapped(tensor.numpy()) for name, tensor in gru.state_dict().items()}
    W_read, U_read = read["weight_ih_l0"], read["weight_hh_l0"]
    b_read, c_read = read["bias_ih_l0"], read["bias_hh_l0"]
    return outputs, W_read, U_read, b_read, c_read
