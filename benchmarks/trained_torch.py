"""The three models of trained.py in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from trained import FEATURES, STEPS, TOKENS, UNITS, Framework, classes, texts, wanted

from rnn_conformance.adapters.canonical import Call, Canonical
from rnn_conformance.adapters.reading import load


class Classifier(nn.Module):
    """The last state of an LSTM under a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(TOKENS, FEATURES)
        self.lstm = nn.LSTM(FEATURES, UNITS, batch_first=True)
        self.out = nn.Linear(UNITS, classes("classifier"))

    def forward(self, tokens: Any) -> Any:
        lengths = (tokens != 0).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)
        return self.out(self.lstm(packed)[1][0][-1])


class Characters(nn.Module):
    """Two GRUs, whose states are carried from one half of a text to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(TOKENS, FEATURES)
        self.one = nn.GRU(FEATURES, UNITS, batch_first=True)
        self.other = nn.GRU(UNITS, UNITS, batch_first=True)
        self.out = nn.Linear(UNITS, classes("characters"))

    def forward(self, tokens: Any) -> Any:
        halves, h, g = [], None, None
        for half in self.embed(tokens).chunk(2, 1):
            y, h = self.one(half, h)
            y, g = self.other(y, g)
            halves.append(y)
        return self.out(torch.cat(halves, 1))


class Tagger(nn.Module):
    """An LSTM in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(TOKENS, FEATURES)
        self.lstm = nn.LSTM(FEATURES, UNITS, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * UNITS, classes("tagger"))

    def forward(self, tokens: Any) -> Any:
        return self.out(self.lstm(self.embed(tokens))[0])


def made(name: str) -> Any:
    torch.manual_seed(0)
    return {"classifier": Classifier, "characters": Characters, "tagger": Tagger}[name]().eval()


def train(model: Any, name: str) -> None:
    """By torch.optim.Adam."""
    tokens = texts()
    right = torch.tensor(wanted(name, tokens)).long().flatten()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        found = model(torch.tensor(tokens)).reshape(len(right), -1)
        torch.nn.functional.cross_entropy(found, right).backward()
        optimizer.step()
    model.eval()


def run(model: Any, tokens: Any) -> Any:
    with torch.no_grad():
        return model(torch.tensor(tokens)).numpy()


def arrays(layer: Any) -> Mapping[str, Any]:
    if isinstance(layer, nn.Embedding):
        return {"table": layer.weight.detach().numpy()}
    return {"kernel": layer.weight.detach().numpy().T, "bias": layer.bias.detach().numpy()}


def put_arrays(layer: Any, arrays: Mapping[str, Any]) -> None:
    if isinstance(layer, nn.Embedding):
        state = {"weight": torch.tensor(arrays["table"])}
    else:
        state = {"weight": torch.tensor(arrays["kernel"].T), "bias": torch.tensor(arrays["bias"])}
    layer.load_state_dict(state)


def put(model: Any, canonical: Canonical) -> None:
    load(getattr(model, canonical.path), canonical)


def again(model: Any, name: str, folder: Path) -> Any:
    """Its state dict, saved and loaded with weights alone into a model that is new."""
    torch.save(model.state_dict(), folder / "model.pt")
    loaded = made(name)
    loaded.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
    return loaded


class _Program(nn.Module):
    """A layer that is given each part of its state by itself, or how long each sequence is."""

    def __init__(self, layer: Any, is_masked: bool) -> None:
        super().__init__()
        self.layer, self.is_masked = layer, is_masked

    def forward(self, x: Any, *given: Any) -> Any:
        if self.is_masked:
            x = nn.utils.rnn.pack_padded_sequence(x, given[0], batch_first=True, enforce_sorted=False)
            return nn.utils.rnn.pad_packed_sequence(self.layer(x)[0], batch_first=True)[0]
        return self.layer(x, (given if len(given) > 1 else given[0]) if given else None)[0]


def program(layer: Any, call: Call, folder: Path) -> Callable[..., Any]:
    """By torch.export. Raises ValueError where it cannot trace the layer."""
    if call.mask is not None:
        given: tuple[Any, ...] = (torch.tensor(call.mask.sum(-1)),)
    else:
        parts = () if call.initial_state is None else call.initial_state[0][0]
        given = tuple(torch.tensor(part)[None] for part in parts)
    try:
        exported = torch.export.export(_Program(layer, call.mask is not None), (torch.tensor(call.inputs), *given))
    except TypeError as error:
        told = "pack_padded_sequence cannot be traced" if call.mask is not None else str(error)
        raise ValueError(f"refused, {told}") from error
    torch.export.save(exported, folder / "layer.pt2")
    loaded = torch.export.load(folder / "layer.pt2").module()

    def run(x: Any, lengths: Any = None, initial_state: Any = None) -> Any:
        with torch.no_grad():
            return loaded(torch.tensor(x), *given).numpy()

    return run


def onnx_file(model: Any, tokens: Any, folder: Path) -> Path:
    """The whole model, by torch.onnx.export. Raises OnnxExporterError where it cannot be exported."""
    exported: Any = torch.onnx.export(model, (torch.tensor(tokens),), dynamo=True, verbose=False)
    exported.save(folder / "model.onnx")
    return folder / "model.onnx"


torch_models = Framework(
    "PyTorch", made, train, run, getattr, put, arrays, put_arrays, "a state dict", again, "torch.export", program
)
