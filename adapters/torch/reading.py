"""Reading and building torch.nn.RNN, LSTM, GRU and their cells: canonical weights out of modules, and in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import (
    Canonical,
    Other,
    Refused,
    Survey,
    all_gates,
    as_loaded,
    in_order,
    one_bias,
)
from rnn_conformance.adapters.torch.arrays import array
from rnn_conformance.adapters.torch.gates import KINDS, NAMES, kind_of
from rnn_conformance.adapters.two_biases import TwoBiasedRnn
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights

CHOICES = Choices(padded_outputs="zero", backward_outputs="aligned", dropout_mask="fresh")
_COMPUTING = ("forward", "__call__", "_call_impl", "permute_hidden", "check_forward_args", "__getattr__")
"""What a call of a module goes through."""

_LOOKS_RECURRENT = ("RNN", "LSTM", "GRU")


def survey(model: Any) -> Survey:
    """Every recurrent layer of a module, by its path in `named_modules`, and what else has parameters."""
    import torch

    found: dict[int, Canonical] = {}
    refused, others = [], []
    for path, module in model.named_modules(remove_duplicate=False):
        if id(module) in found:
            known = found[id(module)]
            found[id(module)] = replace(known, also=(*known.also, path))
            continue
        kind = getattr(module, "original_name", type(module).__name__)
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if isinstance(module, torch.nn.RNNBase | torch.nn.RNNCellBase):
            try:
                found[id(module)] = read_module(module, path)
            except Refused as reason:
                refused.append(reason)
        elif any(word in kind for word in _LOOKS_RECURRENT) and (own or _is_a_layer(module)):
            refused.append(Refused(path, "class", f"{kind} is none of torch.nn's recurrent layers"))
        elif own and not _is_within(path, found.values()):
            others.append(Other(path, kind, own))
    return Survey(tuple(found.values()), tuple(refused), tuple(others))


def _is_a_layer(module: Any) -> bool:
    """Whether it is more than what holds layers: one of torch's own, such as a quantised LSTM, or without parts."""
    return type(module).__module__.startswith("torch.") or not list(module.children())


def _is_within(path: str, layers: Any) -> bool:
    """Whether this is a parametrisation of a recurrent layer: what it gives was read there."""
    return any(path.startswith(f"{layer.path}.parametrizations") for layer in layers)


def read_module(module: Any, path: str = "") -> Canonical:
    """A torch.nn.RNN, LSTM or GRU, or one of their cells. Raises Refused."""
    import torch

    is_cell = isinstance(module, torch.nn.RNNCellBase)
    name, base = _base_of(module, path, is_cell)
    for method in _COMPUTING:
        if method in vars(module) or getattr(type(module), method, None) is not getattr(base, method, None):
            raise Refused(path, method, f"{type(module).__name__} has a {method} of its own, and not torch.nn's")
    if module._forward_hooks or module._forward_pre_hooks:
        raise Refused(path, "forward hooks", "a hook may change what the layer is given or what it returns")
    layers: list[Layer] = []
    weights = []
    for k in range(1 if is_cell else module.num_layers):
        suffixes = [""] if is_cell else [f"_l{k}{end}" for end in ("", "_reverse")[: 1 + module.bidirectional]]
        each = [_direction(module, name, suffix) for suffix in suffixes]
        cell = _cell(name, module, each)
        named = [
            {part: a for part, a in arrays.items() if part != "c" or not isinstance(cell, SimpleRnn)} for arrays in each
        ]
        features = module.input_size if k == 0 else layers[-1].width
        direction = "bidirectional" if len(suffixes) == 2 else "forward"
        layers.append(Layer(features, module.hidden_size, cell, bool(module.bias), direction))
        weights.append(LayerWeights.of([LayerWeights(arrays) for arrays in named]))
    dtype = str(weights[0].W.dtype)
    architecture = Architecture(tuple(layers), dtype=dtype, return_state=True)
    rate = 0.0 if is_cell else float(module.dropout)
    training = [f"dropout {rate:g} between the layers of the stack"] if rate else []
    frozen = [n for n, parameter in module.named_parameters() if not parameter.requires_grad]
    training += [f"not trained: {', '.join(frozen)}"] if frozen else []
    return Canonical(architecture, Weights(tuple(weights)), CHOICES, path, (), tuple(training), is_cell)


def _base_of(module: Any, path: str, is_cell: bool) -> tuple[str, Any]:
    """The name of its cell, and torch's own class."""
    import torch

    for name, kind in KINDS.items():
        base = getattr(torch.nn, kind.cell if is_cell else kind.layer)
        if isinstance(module, base):
            return name, base
    raise Refused(path, "class", f"{type(module).__name__} is none of {', '.join(k.layer for k in KINDS.values())}")


def _direction(module: Any, name: str, suffix: str) -> dict[str, np.ndarray]:
    """The arrays of one direction of a layer, in the canonical order; of a parametrisation what it gives."""
    arrays = {}
    has = {"b": module.bias, "c": module.bias, "P": getattr(module, "proj_size", 0)}
    for part, its_name in NAMES.items():
        if has.get(part, True):
            kept = array(getattr(module, f"{its_name}{suffix}").cpu())
            arrays[part] = np.array(KINDS[name].reordered(kept))
    return arrays


def _cell(name: str, module: Any, each: list[dict[str, np.ndarray]]) -> Cell:
    if name == "lstm":
        return Lstm(recurrent_bias="all" if module.bias else "none", projection=getattr(module, "proj_size", 0))
    if name == "gru":
        return Gru()
    if all(not arrays["c"].any() for arrays in each if "c" in arrays):
        return SimpleRnn(module.nonlinearity)  # its second bias is not used
    return TwoBiasedRnn(module.nonlinearity)


def held(canonical: Canonical) -> Canonical:
    """All outputs and the state are returned, and a second bias is there, of zeros where the cell has none."""
    layers, weights = [], []
    architecture, path = canonical.architecture, canonical.path
    dtype = dtype_of(architecture.weights_dtype or architecture.dtype)
    if architecture.weights_dtype:
        raise Refused(path, "weights_dtype", "the parameters of torch.nn's layers have the dtype of what is computed")
    if architecture.stateful:
        raise Refused(path, "stateful", "torch.nn's layers keep no state: hand that of a call to the next one")
    if len(architecture.layers) > 1 and len({_alike(layer) for layer in architecture.layers}) > 1:
        raise Refused(path, "layers", "torch.nn stacks layers of the same units, bias and direction only")
    for layer, given in zip(architecture.layers, canonical.weights.layers, strict=True):
        refuse(layer, path)
        cell, each = layer.cell, [dict(direction.named) for direction in given.directions]
        if isinstance(cell, Lstm):
            if cell.forget_bias:
                each = [one_bias(layer, named, dtype, path) for named in each]
            cell = Lstm(recurrent_bias="all" if layer.use_bias else "none", projection=cell.projection)
            each = [named if "c" in named else all_gates(named) for named in each]
        elif isinstance(cell, Gru):
            cell, each = Gru(), [all_gates(named) for named in each]
        elif isinstance(cell, TwoBiasedRnn) and all(not named["c"].any() for named in each if "c" in named):
            cell, each = SimpleRnn(cell.activation), [one_bias(layer, named, dtype, path) for named in each]
        layers.append(replace(layer, cell=cell, dropout=0.0, recurrent_dropout=0.0))
        weights.append(LayerWeights.of([in_order(layers[-1], named) for named in each]))
    kept = as_loaded(Weights(tuple(weights)), architecture.dtype, path, dtype)
    plain = Architecture(tuple(layers), dtype=architecture.dtype, return_state=True)
    return replace(canonical, architecture=plain, weights=kept, choices=CHOICES)


def _alike(layer: Layer) -> Any:
    return layer.units, type(layer.cell), layer.use_bias, layer.direction


def refuse(layer: Layer, path: str) -> None:
    """Raise Refused for what no layer of torch.nn computes."""
    cell = layer.cell
    allowed = ("tanh", "relu") if cell.name == "simple_rnn" else ("tanh",)
    if cell.activation not in allowed:
        raise Refused(path, "activation", f"that of torch.nn's is {' or '.join(allowed)}, and not {cell.activation}")
    gate, output = cell.activations.get("gate", "sigmoid"), cell.activations.get("output", "tanh")
    if gate != "sigmoid":
        raise Refused(path, "recurrent_activation", f"that of torch.nn's gates is sigmoid, and not {gate}")
    if output != "tanh":
        raise Refused(path, "output_activation", f"that of torch.nn.LSTM is tanh, and not {output}")
    if isinstance(cell, Lstm) and cell.projection >= layer.units:
        raise Refused(path, "projection", "proj_size of torch.nn.LSTM is smaller than its hidden_size")
    if isinstance(cell, Gru) and cell.reset == "before":
        raise Refused(path, "reset", "torch.nn.GRU multiplies with the reset gate after the product: another equation")
    if isinstance(cell, Gru) and cell.keep != "z":
        raise Refused(path, "keep", "in torch.nn.GRU it is z that keeps the output before")
    if layer.direction == "backward":
        raise Refused(path, "direction", "torch.nn's layers run forwards or both ways: flip the inputs along time")
    if layer.is_bidirectional and layer.merge != "concat":
        raise Refused(path, "merge", f"torch.nn's layers join their directions by concat, and not by {layer.merge}")


def build(canonical: Canonical) -> Any:
    """A torch.nn.RNN, LSTM or GRU, or a cell of theirs, in inference mode. Raises Refused."""
    import torch

    kept = held(canonical)
    first = kept.architecture.layers[0]
    kind, options = kind_of(first.cell), dict[str, Any](bias=first.use_bias)
    options["dtype"] = getattr(torch, kept.architecture.dtype)
    if first.cell.name == "simple_rnn":
        options["nonlinearity"] = first.cell.activation
    if not kept.is_cell:
        options |= {"batch_first": True, "bidirectional": first.is_bidirectional}
        options["num_layers"] = len(kept.architecture.layers)
        if getattr(first.cell, "projection", 0):
            options["proj_size"] = first.cell.projection  # type: ignore[attr-defined]
    made = getattr(torch.nn, kind.cell if kept.is_cell else kind.layer)(first.features, first.units, **options)
    _put(made, kept)
    return made.eval()


def load(module: Any, canonical: Canonical) -> None:
    """Put the weights into a module that stands. Raises Refused where it is another layer."""
    kept, there = held(canonical), read_module(module, canonical.path)
    if shapes_of(there) != shapes_of(kept):
        raise Refused(canonical.path, "layer", f"the module is {there.architecture}, but should be {kept.architecture}")
    _put(module, kept)


def shapes_of(canonical: Canonical) -> Any:
    """What a module cannot change when weights are loaded."""
    return [
        (
            layer.features,
            layer.units,
            layer.width,
            layer.cell.name,
            layer.use_bias,
            layer.direction,
            layer.cell.activation,
        )
        for layer in canonical.architecture.layers
    ]


def _put(module: Any, kept: Canonical) -> None:
    module.load_state_dict(dict(tensors_of(kept)))


def tensors_of(kept: Canonical) -> Iterator[tuple[str, Any]]:
    """The state dict of a layer that holds this."""
    for k, (layer, given) in enumerate(zip(kept.architecture.layers, kept.weights.layers, strict=True)):
        for end, direction in zip(("", "_reverse"), given.directions, strict=False):
            suffix = "" if kept.is_cell else f"_l{k}{end}"
            named = {part: np.ascontiguousarray(a) for part, a in direction.named.items()}
            yield from kind_of(layer.cell).state_dict(named, f"{{}}{suffix}").items()
