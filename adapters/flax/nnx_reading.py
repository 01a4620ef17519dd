"""Reading and building flax.nnx.RNN and Bidirectional over its cells: canonical weights out of modules, and in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Canonical, Other, Refused, Survey
from rnn_conformance.adapters.flax import reading
from rnn_conformance.adapters.gates import z_and_r_swapped
from rnn_conformance.adapters.jax.arrays import x64
from rnn_conformance.reference.model.weights import LayerWeights

_GATES = ("i", "f", "g", "o")


def survey(model: Any) -> Survey:
    """Every recurrent layer of a module, by the names on the way to it, and what else has parameters."""
    from flax import nnx

    found: dict[int, Canonical] = {}
    refused: list[Refused] = []
    others: list[Other] = []
    for path, module in walk(model):
        params = [value for value in vars(module).values() if isinstance(value, nnx.Param)]
        own = sum(int(np.size(param[...])) for param in params if param.get_value() is not None)
        kind = type(module).__name__
        if id(module) in found:
            found[id(module)] = replace(found[id(module)], also=(*found[id(module)].also, path))
        elif is_recurrent(module):
            try:
                found[id(module)] = read_module(module, path)
            except Refused as reason:
                refused.append(reason)
        elif own and any(word in kind for word in reading.LOOKS_RECURRENT):
            refused.append(Refused(path, "class", f"{kind} is none of Flax's recurrent layers"))
        elif own:
            others.append(Other(path, kind, own))
    return Survey(tuple(found.values()), tuple(refused), tuple(others))


def walk(module: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each module within a module, and itself, with the names on the way; what is in a recurrent one belongs to it."""
    from flax import nnx

    yield path, module
    if not is_recurrent(module):
        children = nnx.iter_children(module)
        for name, inner in ((name, inner) for name, inner in children if isinstance(inner, nnx.Module)):
            yield from walk(inner, f"{path}/{name}" if path else str(name))


def is_recurrent(module: Any) -> bool:
    """Whether it is one of Flax's recurrent layers, or a cell that somebody's own loop calls."""
    from flax import nnx

    return isinstance(module, nnx.RNN | nnx.Bidirectional | nnx.RNNCellBase)


def read_module(module: Any, path: str = "") -> Canonical:
    """An RNN, a Bidirectional or a cell. Raises Refused."""
    from flax import nnx

    return reading.read_layer(nnx, module, path, _weights_of)


def _weights_of(cell: Any, name: str, path: str) -> dict[str, Any]:
    """The arrays of a cell; a second bias, of a `dense_h` or a `dense_i` that was given one, is read as well."""
    i, h = _both_sides(cell)
    arrays = {"W": i["kernel"].T, "U": h["kernel"].T}
    first, second = (h, i) if name == "lstm" else (i, h)
    if "bias" in first:
        arrays["b"] = first["bias"]
    if "bias" in second:
        if "b" not in arrays:
            raise Refused(path, "bias", "its one bias is not where the cell has it")
        arrays["c"] = second["bias"]
    return {part: z_and_r_swapped(array) for part, array in arrays.items()} if name == "gru" else arrays


def _both_sides(cell: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters beside the inputs and those beside h; of an LSTMCell the layers of all gates side by side."""
    if hasattr(cell, "dense_i"):
        return _of_linear([cell.dense_i]), _of_linear([cell.dense_h])
    names = {gate: "if_" if gate == "f" else f"i{gate}" for gate in _GATES}
    return _of_linear([getattr(cell, names[g]) for g in _GATES]), _of_linear([getattr(cell, f"h{g}") for g in _GATES])


def _of_linear(linears: list[Any]) -> dict[str, Any]:
    found = {"kernel": np.concatenate([np.asarray(linear.kernel[...]) for linear in linears], axis=-1)}
    biases = [linear.bias for linear in linears]
    if all(bias is not None and bias.get_value() is not None for bias in biases):
        found["bias"] = np.concatenate([np.asarray(bias[...]) for bias in biases])
    return found


def held(canonical: Canonical) -> Canonical:
    """One bias; of a GRU a second one of all gates, if it has one of n: its `dense_h` is given it. Raises Refused."""
    return reading.held(canonical, "Flax NNX", lambda gru: "none" if gru.recurrent_bias == "none" else "all")


def build(canonical: Canonical) -> Any:
    """An nnx.RNN over its cell, in a Bidirectional where it has two directions, or a cell. Raises Refused."""
    from flax import nnx

    kept = held(canonical)
    (layer,) = kept.architecture.layers
    name = {"simple_rnn": "SimpleCell", "lstm": "OptimizedLSTMCell", "gru": "GRUCell"}[layer.cell.name]
    zeros = nnx.initializers.zeros_init()

    def cell() -> Any:
        made = getattr(nnx, name)(
            layer.features,
            layer.units,
            kernel_init=zeros,
            recurrent_kernel_init=zeros,
            rngs=nnx.Rngs(0),
            **reading.options_of(kept),
        )
        if "c" in kept.weights.layers[0].named:
            options = {key: value for key, value in reading.options_of(kept).items() if key.endswith("dtype")}
            made.dense_h = nnx.Linear(layer.units, 3 * layer.units, kernel_init=zeros, rngs=nnx.Rngs(0), **options)
        return made

    with x64(kept.architecture.weights_dtype or kept.architecture.dtype):
        if kept.is_cell:
            made = cell()
        elif layer.is_bidirectional:
            options = reading.merge_function(nnx, layer.merge)
            made = nnx.Bidirectional(nnx.RNN(cell()), nnx.RNN(cell()), **options)
        else:
            made = nnx.RNN(cell(), **reading.rnn_options(kept))
        _put(made, kept)
    return made


def load(module: Any, canonical: Canonical) -> None:
    """Put the weights into a module that stands. Raises Refused where it is another layer."""
    kept, there = held(canonical), read_module(module, canonical.path)
    if there.architecture.layers != kept.architecture.layers:
        raise Refused(canonical.path, "layer", f"there is {there.architecture}, but should be {kept.architecture}")
    with x64(kept.architecture.dtype):
        _put(module, kept)


def _put(made: Any, kept: Canonical) -> None:
    rnns = (made.forward_rnn, made.backward_rnn) if hasattr(made, "forward_rnn") else (made,)
    for rnn, direction in zip(rnns, kept.weights.layers[0].directions, strict=True):
        _put_cell(getattr(rnn, "cell", rnn), kept.architecture.layers[0].cell.name, direction)


def _put_cell(cell: Any, name: str, direction: LayerWeights) -> None:
    from jax import numpy as jnp

    named = {part: z_and_r_swapped(a) if name == "gru" else a for part, a in direction.named.items()}
    biased, other = ("h", "i") if name == "lstm" else ("i", "h")
    places = {"W": ("i", "kernel"), "U": ("h", "kernel"), "b": (biased, "bias"), "c": (other, "bias")}
    for part, array in named.items():
        side, kind = places[part]
        if hasattr(cell, "dense_i"):
            getattr(getattr(cell, f"dense_{side}"), kind)[...] = jnp.array(array.T)
            continue
        for gate, rows in zip(_GATES, np.split(array, 4), strict=True):
            linear = getattr(cell, "if_" if (side, gate) == ("i", "f") else f"{side}{gate}")
            getattr(linear, kind)[...] = jnp.array(rows.T)
