"""The torch modules of an architecture, and what torch calls their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnn_conformance.adapters.torch.arrays import array, tensor
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

if TYPE_CHECKING:
    import torch

CELL_MODES = ("cells", "compiled")
"""The modes in which a model is made of torch.nn.RNNCell."""

_PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Names(NamedTuple):
    """What torch calls the parameters of one direction of one layer; a layer without bias has the first two only."""

    W: str
    U: str
    b: str
    second_b: str


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
    alike = {(layer.units, layer.activation, layer.use_bias, layer.direction) for layer in architecture.layers}
    return architecture.mode not in CELL_MODES and len(alike) == 1


@cache
def parameter_names(architecture: Architecture) -> tuple[tuple[Names, ...], ...]:
    """Of each layer, the names of its parameters in the model, the forward direction's first."""

    def directions(k: int, layer: Layer) -> tuple[Names, ...]:
        module, number = (0, k) if is_native_stack(architecture) else (k, 0)
        suffix = "" if architecture.mode in CELL_MODES else f"_l{number}"
        return tuple(
            Names(
                *(f"layers.{module}.{name}{suffix}{end}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            )
            for end in (("", "_reverse") if layer.is_bidirectional else ("",))
        )

    return tuple(directions(k, layer) for k, layer in enumerate(architecture.layers))


def state_dict(architecture: Architecture, weights: Weights) -> dict[str, torch.Tensor]:
    """These weights under torch's names; second biases are zero."""
    import torch

    found: dict[str, torch.Tensor] = {}
    if weights.embedding is not None:
        found["embedding.weight"] = tensor(weights.embedding)
    for directions, layer in zip(parameter_names(architecture), weights.layers, strict=True):
        for names, given in zip(directions, filter(None, (layer, layer.backward)), strict=True):
            found[names.W], found[names.U] = tensor(given.W), tensor(given.U)
            if given.b is not None:
                found[names.b] = tensor(given.b)
                found[names.second_b] = torch.zeros_like(found[names.b])
    return found


def weights_of(architecture: Architecture, tensors: Mapping[str, torch.Tensor]) -> Weights:
    """Copies of what stands under torch's names, in a state dict or among gradients, as canonical weights.

    Raises RuntimeError if a second bias is there and not zero.
    """

    def read(name: str) -> Array:
        return np.array(array(tensors[name]))

    def direction(names: Names) -> LayerWeights:
        if names.second_b in tensors and tensors[names.second_b].any():
            raise RuntimeError(f"{names.second_b} was loaded as zeros, but is not zero any more")
        return LayerWeights(read(names.W), read(names.U), read(names.b) if names.b in tensors else None)

    layers = []
    for directions in parameter_names(architecture):
        forward, *backward = (direction(names) for names in directions)
        layers.append(LayerWeights(forward.W, forward.U, forward.b, *backward))
    return Weights(tuple(layers), read("embedding.weight") if "embedding.weight" in tensors else None)


def _rnn(architecture: Architecture, layer: Layer, **stack: Any) -> torch.nn.RNN:
    import torch

    stack |= _options(architecture, layer)
    return torch.nn.RNN(layer.features, layer.units, batch_first=True, bidirectional=layer.is_bidirectional, **stack)


def _options(architecture: Architecture, layer: Layer) -> dict[str, Any]:
    return {"nonlinearity": layer.activation, "bias": layer.use_bias, "dtype": _dtype(architecture)}


def _dtype(architecture: Architecture) -> torch.dtype:
    """What the parameters are kept in."""
    import torch

    dtype: torch.dtype = getattr(torch, architecture.weights_dtype or architecture.dtype)
    return dtype
