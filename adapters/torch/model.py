"""The torch modules of an architecture, and what torch calls their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_conformance.adapters.torch.arrays import array, tensor
from rnn_conformance.adapters.torch.gates import NAMES, kind_of
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.weights import Weights, direction_shapes

if TYPE_CHECKING:
    import torch

CELL_MODES = ("cells", "compiled", "vmapped")
"""The modes in which a model is made of torch.nn.RNNCell and its like."""

WITHOUT_ONEDNN = "without-onednn"
"""The way in which torch is told to leave oneDNN alone."""


def build(architecture: Architecture) -> torch.nn.ModuleDict:
    """Modules under ``layers``, to be applied in order, and perhaps an ``embedding``; in inference mode.

    Where a cell has no recurrent bias, the second bias of its layer is frozen. Only the sum of the two matters: if a
    step of training moved each of them by -r times its gradient, it would move the sum, which is the b of the
    specification, by twice that.
    """
    import torch

    layers = architecture.layers
    modules: list[torch.nn.Module]
    if architecture.mode in CELL_MODES:
        modules = [_cell(architecture, layer) for layer in layers]
    elif is_native_stack(architecture):
        modules = [_layer(architecture, layers[0], num_layers=len(layers), dropout=layers[-1].dropout)]
    else:
        modules = [_layer(architecture, layer) for layer in layers]
    model = torch.nn.ModuleDict({"layers": torch.nn.ModuleList(modules)})
    if table := architecture.embedding:
        model["embedding"] = torch.nn.Embedding(table.tokens, table.features, dtype=_dtype(architecture))
    frozen = set(_second_biases(architecture))
    for name, parameter in model.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    return model.eval()


def is_native_stack(architecture: Architecture) -> bool:
    """Whether one torch.nn.RNN holds all layers; what they do not have in common, its `num_layers` cannot express."""
    alike = {(layer.units, layer.cell, layer.use_bias, layer.direction) for layer in architecture.layers}
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
    """These weights under torch's names; second biases are zero where the cell has none."""
    plain = weights.map(np.ascontiguousarray)  # torch refuses negative strides
    found = {} if plain.embedding is None else {"embedding.weight": tensor(plain.embedding)}
    for layer, directions, given in zip(architecture.layers, places(architecture), plain.layers, strict=True):
        for where, direction in zip(directions, given.directions, strict=True):
            found |= kind_of(layer.cell).state_dict(direction.named, where)
    return found


def weights_of(architecture: Architecture, tensors: Mapping[str, torch.Tensor]) -> Weights:
    """Copies of what stands under torch's names, in a state dict or among gradients, as canonical weights.

    Raises RuntimeError if a second bias that the cell has not is there and not zero.
    """
    if changed := [name for name in _second_biases(architecture) if name in tensors and tensors[name].any()]:
        raise RuntimeError(f"{changed[0]} was loaded as zeros, but is not zero any more")
    found = {}
    if "embedding.weight" in tensors:
        found["embedding"] = np.array(array(tensors["embedding.weight"]))
    for k, (layer, directions) in enumerate(zip(architecture.layers, places(architecture), strict=True)):
        for j, where in enumerate(directions):
            for part in direction_shapes(layer):
                kept = array(tensors[where.format(NAMES[part])])
                found[name_of("layers", k, j, part)] = np.array(kind_of(layer.cell).reordered(kept))
    return Weights.of(found)


def _second_biases(architecture: Architecture) -> Iterator[str]:
    """The names of the biases that torch has and the cell has not."""
    for layer, directions in zip(architecture.layers, places(architecture), strict=True):
        if layer.use_bias and "c" not in direction_shapes(layer):
            yield from (where.format(NAMES["c"]) for where in directions)


def _layer(architecture: Architecture, layer: Layer, **stack: Any) -> torch.nn.RNNBase:
    import torch

    stack |= {"batch_first": True, "bidirectional": layer.is_bidirectional, **_options(architecture, layer)}
    module: torch.nn.RNNBase = getattr(torch.nn, kind_of(layer.cell).layer)(layer.features, layer.units, **stack)
    return module


def _cell(architecture: Architecture, layer: Layer) -> torch.nn.Module:
    import torch

    options = _options(architecture, layer)
    module: torch.nn.Module = getattr(torch.nn, kind_of(layer.cell).cell)(layer.features, layer.units, **options)
    return module


def _options(architecture: Architecture, layer: Layer) -> dict[str, Any]:
    options = {"bias": layer.use_bias, "dtype": _dtype(architecture)}
    if layer.cell.name == "simple_rnn":
        options["nonlinearity"] = layer.cell.activation
    elif isinstance(layer.cell, Lstm) and layer.cell.projection:
        options["proj_size"] = layer.cell.projection
    return options


def _dtype(architecture: Architecture) -> torch.dtype:
    """What the parameters are kept in."""
    import torch

    dtype: torch.dtype = getattr(torch, architecture.weights_dtype or architecture.dtype)
    return dtype
