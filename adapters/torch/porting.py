"""PyTorch's LSTM and GRU where a port starts, which leaves `weights` and `here`, and where it ends, with `there`."""

from __future__ import annotations

from typing import Any

import torch

from rnn_conformance.adapters.gates import z_and_r_swapped
from rnn_conformance.adapters.torch.example import gru_state_of, state_of


def run_torch_lstm(torch_lstm: Any, x: Any, h: Any, c: Any) -> Any:
    """All outputs and the final state."""
    with torch.no_grad():
        outputs, (h_n, c_n) = torch_lstm(torch.tensor(x), (torch.tensor(h[None]), torch.tensor(c[None])))
    return {"outputs": outputs.numpy(), "h": h_n[0].numpy(), "c": c_n[0].numpy()}


def run_torch_gru(torch_gru: Any, x: Any, h: Any) -> Any:
    """All outputs and the final state."""
    with torch.no_grad():
        outputs, h_n = torch_gru(torch.tensor(x), torch.tensor(h[None]))
    return {"outputs": outputs.numpy(), "h": h_n[0].numpy()}


def lstm_source(x: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """torch.nn.LSTM."""
    # An LSTM of PyTorch: put yours in its place.
    torch_lstm = torch.nn.LSTM(3, 4, batch_first=True)
    state = {name: tensor.numpy() for name, tensor in torch_lstm.state_dict().items()}
    names = {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0", "c": "bias_hh_l0"}
    weights = {name: state[its_name] for name, its_name in names.items()}
    here = run_torch_lstm(torch_lstm, x, h, c)
    return weights, here


def lstm_target(moved: Any, x: Any, h: Any, c: Any) -> Any:
    """torch.nn.LSTM."""
    # An LSTM of PyTorch with these weights.
    units, features = moved["U"].shape[1], moved["W"].shape[1]
    torch_lstm = torch.nn.LSTM(features, units, batch_first=True)
    torch_lstm.load_state_dict(state_of(moved))
    there = run_torch_lstm(torch_lstm, x, h, c)
    return there


def gru_source(x: Any, h: Any) -> tuple[Any, Any]:
    """torch.nn.GRU."""
    # A GRU of PyTorch: put yours in its place.
    torch_gru = torch.nn.GRU(3, 4, batch_first=True)
    state = {name: z_and_r_swapped(tensor.numpy()) for name, tensor in torch_gru.state_dict().items()}
    names = {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0", "c": "bias_hh_l0"}
    weights = {name: state[its_name] for name, its_name in names.items()}
    here = run_torch_gru(torch_gru, x, h)
    return weights, here


def gru_target(moved: Any, x: Any, h: Any) -> Any:
    """torch.nn.GRU."""
    # A GRU of PyTorch with these weights.
    units, features = moved["U"].shape[1], moved["W"].shape[1]
    torch_gru = torch.nn.GRU(features, units, batch_first=True)
    torch_gru.load_state_dict(gru_state_of(moved))
    there = run_torch_gru(torch_gru, x, h)
    return there
