"""The torch modules of an architecture, and what torch calls their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_conformance.adapters.torch.arrays import array, tensor
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.weights import Weights

if TYPE_CHECKING:
    import torch

CELL_MODES = ("cells", "compiled")
"""The modes in which a model is made of torch.nn.RNNCell."""

NAMES = {"W": "weight_ih", "U": "weight_hh", "b": "bias_ih"}
"""What torch calls them; what more it has, ``bias_hh``, is zero."""


def build(architecture: Architecture) -> torch.nn.ModuleDict:
    """Modules under ``layers``, to be applied in order, and perhaps an ``embedding``; in inference mode.

    The second bias of each layer is frozen. Only the sum of the two matters: if a step of training moved each of them
    by -r times its gradient, it would move the sum, which is the b of the specification, by twice that.
    """
    import torch

    layers = architecture.layers
    modules: list[torch.nn.Module]
    if architecture.mode in CELL_MODES:
        modules = [torch.nn.RNNCell(layer.features, layer.units, **_options(architecture, layer)) for layer in layers]
    elif is_native_stack(architecture):
        modules = [_rnn(architecture, layers[0], num_layers=len(layers), dropout=layers[-1].dropout)]
    else:
        modules = [_rnn(architecture, layer) for layer in layers]
    model = torch.nn.ModuleDict({"layers": torch.nn.ModuleList(modules)})
    if table := architecture.embedding:
        model["embedding"] = torch.nn.Embedding(table.tokens, table.features, dtype=_dtype(architecture))
    for name, parameter in model.named_parameters():
        if "bias_hh" in name:
            parameter.requires_grad_(False)
    return model.eval()


def is_native_stack(architecture: Architecture) -> bool:
    """Whether one torch.nn.RNN holds all layers; what they do not have in common, its `num_layers` cannot express."""
    alike = {(layer.units, layer.cell.activation, layer.use_bias, layer.direction) for layer in architecture.layers}
    return architecture.mode not in CELL_MODES and len(alike) == 1


@cache
def places(architecture: Architecture) -> tuple[tuple[str, ...], ...]:
    """Of each direction of each layer the names of its parameters in the model, such as ``layers.0.{}_l1_reverse``.

    One of NAMES takes the place of the braces.
    """

    def directions(k: int, layer: Layer) -> tuple[str, ...]:
        module, number = (0, k) if is_native_stack(architecture) else (k, 0)
        suffix = "" if architecture.mode in CELL_MODES else f"_l{number}"
        return tuple(f"layers.{module}.{{}}{suffix}{end}" for end in ("", "_reverse")[: 1 + layer.is_bidirectional])

    return tuple(directions(k, layer) for k, layer in enumerate(architecture.layers))


def state_dict(architecture: Architecture, weights: Weights) -> dict[str, torch.Tensor]:
    """These weights under torch's names; second biases are zero."""
    from rnn_conformance.adapters.torch.example import state_of

    plain = weights.map(np.ascontiguousarray)  # torch refuses negative strides
    found = {} if plain.embedding is None else {"embedding.weight": tensor(plain.embedding)}
    for directions, layer in zip(places(architecture), plain.layers, strict=True):
        for where, given in zip(directions, layer.directions, strict=True):
            found |= state_of(given.named, where)
    return found


def weights_of(architecture: Architecture, tensors: Mapping[str, torch.Tensor]) -> Weights:
    """Copies of what stands under torch's names, in a state dict or among gradients, as canonical weights.

    Raises RuntimeError if a second bias is there and not zero.
    """
    if changed := [name for name, kept in tensors.items() if "bias_hh" in name and kept.any()]:
        raise RuntimeError(f"{changed[0]} was loaded as zeros, but is not zero any more")
    names = {"embedding": "embedding.weight"}
    for k, directions in enumerate(places(architecture)):
        for j, where in enumerate(directions):
            names |= {name_of("layers", k, j, part): where.format(name) for part, name in NAMES.items()}
    return Weights.of({name: np.array(array(tensors[theirs])) for name, theirs in names.items() if theirs in tensors})


def _rnn(architecture: Architecture, layer: Layer, **stack: Any) -> torch.nn.RNN:
    import torch

    stack |= _options(architecture, layer)
    return torch.nn.RNN(layer.features, layer.units, batch_first=True, bidirectional=layer.is_bidirectional, **stack)


def _options(architecture: Architecture, layer: Layer) -> dict[str, Any]:
    return {"nonlinearity": layer.cell.activation, "bias": layer.use_bias, "dtype": _dtype(architecture)}


def _dtype(architecture: Architecture) -> torch.dtype:
    """What the parameters are kept in."""
    import torch

    dtype: torch.dtype = getattr(torch, architecture.weights_dtype or architecture.dtype)
    return dtype
