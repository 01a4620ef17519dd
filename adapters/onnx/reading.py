"""Reading the operators RNN, LSTM and GRU of an ONNX model, and building a model of one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from rnn_conformance.adapters.onnx.graph import graph_of
from rnn_conformance.adapters.onnx.opening import OWN_DOMAINS, RECURRENT, NoConstant, Opened, open_model
from rnn_conformance.adapters.onnx.operators import ACTIVATIONS, DIRECTIONS, NUMBERS, OPERATORS
from rnn_conformance.adapters.two_biases import TwoBiasedRnn
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import ROLES, Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights

CHOICES = Choices(padded_outputs="zero", backward_outputs="aligned")
_PARTS = {"W": 1, "R": 2, "B": 3, "P": 7}
"""Which input of the operators keeps what."""


def survey(model: Any) -> Survey:
    """Every recurrent node, by its name, and which other nodes keep floats of their own."""
    opened = open_model(model)
    found: list[Canonical] = []
    refused: list[Refused] = []
    for path, node in opened.recurrent():
        try:
            found.append(read_node(opened, node, path))
        except Refused as reason:
            refused.append(reason)
    refused += _within_bodies(opened.proto.graph)
    return Survey(tuple(found), tuple(refused), tuple(_others(opened)))


def _within_bodies(graph: Any) -> Iterator[Refused]:
    """What stands in the body of another node."""
    for node in graph.node:
        for body in (each.g for each in node.attribute if each.HasField("g")):
            for inner in body.node:
                if any(word in inner.op_type for word in RECURRENT):
                    why = f"it stands in the body of a node {node.op_type}, which may run it any number of times"
                    yield Refused(inner.name or inner.op_type, "operator", why)
            yield from _within_bodies(body)


def _others(opened: Opened) -> Iterator[Other]:
    sizes = {name: array.size for name, array in opened.kept.items() if array.dtype.kind == "f" and array.ndim}
    for k, node in enumerate(opened.proto.graph.node):
        if not any(word in node.op_type for word in RECURRENT) and (own := sum(sizes.get(n, 0) for n in node.input)):
            yield Other(node.name or f"{node.op_type}_{k}", node.op_type, own)


def read_node(opened: Opened, node: Any, path: str) -> Canonical:
    """An RNN, LSTM or GRU. Raises Refused."""
    from onnx import helper

    name = next((name for name, each in OPERATORS.items() if each.name == node.op_type), "")
    if not name or node.domain not in OWN_DOMAINS:
        raise Refused(path, "operator", f"{node.domain or 'ai.onnx'}.{node.op_type} is none of {', '.join(RECURRENT)}")
    options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    if "clip" in options:
        raise Refused(path, "clip", f"what is activated is clipped to {options['clip']:g}: another equation")
    if options.get("input_forget"):
        raise Refused(path, "input_forget", "the input gate is 1 - f: another equation")
    arrays = {part: _kept(opened, node, path, part) for part in _PARTS}
    if arrays["P"] is not None and arrays["P"].any():
        raise Refused(path, "P", "it has peepholes: another equation")
    W, R, B = arrays["W"], arrays["R"], arrays["B"]
    if W is None or R is None:
        raise Refused(path, "W", "it has no weights")
    direction = options.get("direction", b"forward").decode()
    units = R.shape[-1]
    if options.get("hidden_size", units) != units or len(W) != 1 + (direction == "bidirectional"):
        raise Refused(path, "hidden_size", f"weights {W.shape} and {R.shape} are not those of its sizes and direction")
    activations = _activations(name, options, len(W), path)
    cell, each = _cell(name, options, activations, _directions(W, R, B, name))
    ours = {there: here for here, there in DIRECTIONS.items()}[direction]
    layer = Layer(W.shape[-1], units, cell, B is not None, ours)
    weights = Weights((LayerWeights.of([in_order(layer, named) for named in each]),))
    architecture = Architecture((layer,), dtype=str(W.dtype), return_state=True)
    return Canonical(architecture, weights, CHOICES, path)


def _kept(opened: Opened, node: Any, path: str, part: str) -> Any:
    """An array of a node's weights, or None where it has none."""
    k = _PARTS[part]
    if len(node.input) <= k or not node.input[k]:
        return None
    try:
        return opened.constant(node.input[k])
    except NoConstant as reason:
        why = f"it is no constant: it depends on {reason}, which each call gives"
        raise Refused(path, part, why) from None


def _directions(W: Any, R: Any, B: Any, name: str) -> list[dict[str, Any]]:
    from rnn_conformance.adapters.onnx.arrays import weights_in

    kept = {"W_0": W, "R_0": R, **({} if B is None else {"B_0": B})}
    found = weights_in(kept, 0, **OPERATORS[name].rows("back"))
    return [{part: np.ascontiguousarray(array) for part, array in named.items()} for named in found]


def _cell(
    name: str, options: Mapping[str, Any], activations: Mapping[str, str], each: list[dict[str, Any]]
) -> tuple[Cell, list[dict[str, Any]]]:
    """The cell, and the arrays that it has."""
    chosen: dict[str, Any] = {ROLES[role]: activation for role, activation in activations.items()}
    if name == "lstm":
        return Lstm(**chosen, recurrent_bias="all" if "c" in each[0] else "none"), each
    if name == "gru":
        return Gru(**chosen, reset="after" if options.get("linear_before_reset") else "before"), each
    if any(named["c"].any() for named in each if "c" in named):
        return TwoBiasedRnn(**chosen), each
    return SimpleRnn(**chosen), [{part: a for part, a in named.items() if part != "c"} for named in each]


def _activations(name: str, options: Mapping[str, Any], directions: int, path: str) -> dict[str, str]:
    """The activation of each role of the cell. Raises Refused for one that there are no words for."""
    operator = OPERATORS[name]
    usual = [ACTIVATIONS[each] for each in operator.usual] * directions
    given = [each.decode() for each in options.get("activations", [])] or usual
    numbers = [list(options.get(f"activation_{which}", [])) for which in ("alpha", "beta")]
    found = [_activation(each, numbers, path) for each in given]
    count = len(operator.roles)
    if len(found) != count * directions or any(
        found[k : k + count] != found[:count] for k in range(0, len(found), count)
    ):
        raise Refused(path, "activations", f"{', '.join(given)}: the two directions have other ones")
    return dict(zip(operator.roles, found, strict=False))


def _activation(named: str, numbers: list[list[float]], path: str) -> str:
    """What the specification calls an activation, which takes alpha and beta, if it has them, from `numbers`."""
    alike = [ours for ours, theirs in ACTIVATIONS.items() if theirs.lower() == named.lower()]
    if not alike:
        raise Refused(path, "activations", f"{named} is none of {', '.join(dict.fromkeys(ACTIVATIONS.values()))}")
    if alike[0] not in NUMBERS:
        return alike[0]
    usual = (0.2, 0.5) if "hard_sigmoid" in alike[0] else (1.0, 0.0)  # ONNX's own
    mine = [np.float32(each.pop(0) if each else k) for each, k in zip(numbers, usual, strict=True)]
    for ours in alike:
        if mine == [np.float32(number) for number in NUMBERS[ours]]:
            return ours
    told = " and ".join(f"{number:g}" for number in mine)
    raise Refused(path, "activations", f"{named} with alpha and beta {told} is none of {', '.join(alike)}")


def held(canonical: Canonical) -> Canonical:
    """Two biases, of zeros where there was none to add; outputs at padded timesteps are zero. Raises Refused."""
    architecture, path = canonical.architecture, canonical.path
    if len(architecture.layers) > 1:
        raise Refused(path, "layers", "a stack is several nodes: build each, as `layer(k)` gives it")
    if architecture.weights_dtype:
        raise Refused(path, "weights_dtype", "all that an operator reads is of one type")
    if architecture.stateful:
        raise Refused(path, "stateful", "a model keeps no state from call to call")
    if canonical.is_cell:
        raise Refused(path, "cell", "there are operators for layers, and none for a step")
    (layer,), (given,) = architecture.layers, canonical.weights.layers
    cell, dtype = layer.cell, dtype_of(architecture.dtype)
    _refuse(layer, path)
    each = [dict(direction.named) for direction in given.directions]
    if isinstance(cell, Lstm):
        if cell.forget_bias:
            each = [one_bias(layer, named, dtype, path) for named in each]
        cell = replace(cell, recurrent_bias="all" if layer.use_bias else "none", forget_bias=0.0)
        each = [named if "c" in named else all_gates(named) for named in each]
    elif isinstance(cell, Gru):
        cell, each = replace(cell, recurrent_bias="all"), [all_gates(named) for named in each]
    elif not any(named["c"].any() for named in each if "c" in named):
        cell = CELLS[cell.name](cell.activation)
    layer = replace(layer, cell=cell, dropout=0.0, recurrent_dropout=0.0)
    weights = Weights((LayerWeights.of([in_order(layer, named) for named in each]),))
    plain = Architecture((layer,), dtype=architecture.dtype, return_state=True)
    return replace(
        canonical, architecture=plain, weights=as_loaded(weights, architecture.dtype, path, dtype), choices=CHOICES
    )


def _refuse(layer: Layer, path: str) -> None:
    """Raise Refused for what no operator computes."""
    cell = layer.cell
    if isinstance(cell, Lstm) and cell.projection:
        raise Refused(path, "projection", "the operator LSTM has none")
    if isinstance(cell, Gru) and cell.keep != "z":
        raise Refused(path, "keep", "in the operator GRU it is z that keeps the output before")
    if layer.is_bidirectional and layer.merge != "concat":
        raise Refused(path, "merge", f"a bidirectional operator has its directions side by side, and no {layer.merge}")


def build(canonical: Canonical) -> Any:
    """A model of one operator: from `inputs` (batch, timesteps, features) to `outputs` and the final state.

    It is named by the canonical layer's path. Raises Refused.
    """
    from rnn_conformance.adapters.onnx.network import model_of_graph, parameters

    kept = held(canonical)
    graph = graph_of(kept.architecture, started=False)
    for node in graph.nodes:
        if node.op_type in RECURRENT:
            node.name = canonical.path or node.op_type
    return model_of_graph(kept.architecture, graph, parameters(kept.architecture, kept.weights))


def load(module: Any, canonical: Canonical) -> None:
    """A model keeps its weights as constants. Raises Refused."""
    raise Refused(canonical.path, "weights", "a model keeps them as constants: build gives one that has them")
