"""A model as nodes of ONNX: what it reads, what it puts out, and everything but its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rnn_conformance.adapters.onnx.operators import OPERATORS, attributes
from rnn_conformance.reference.cells.cell import PARTS
from rnn_conformance.reference.model.architecture import Architecture, Layer

BATCH_FIRST = "batch-first"
"""The way in which operators have `layout=1`: the batch comes first, and not the time."""

Axes = Sequence[int | str]
"""A shape, in which an axis of any length has a name."""


@dataclass
class Graph:
    """The nodes of a model, and what they read and give, by name.

    `weights` have the shape of each, `shapes` what the Reshape nodes read, `inputs` dtype and shape.
    """

    nodes: list[Any] = field(default_factory=list)
    weights: dict[str, Axes] = field(default_factory=dict)
    shapes: dict[str, list[int]] = field(default_factory=dict)
    inputs: dict[str, tuple[str, Axes]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)

    def add(self, operator: str, reads: Sequence[str], gives: Sequence[str], **attributes: Any) -> str:
        """Add a node; returns the name of the first thing that it gives."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, reads, gives, **attributes))
        return gives[0]

    def reshape(self, x: str, gives: str, shape: list[int]) -> str:
        """Add a node that reshapes x, 0 standing for an axis that stays as it is."""
        self.shapes[f"shape_of_{gives}"] = shape
        return self.add("Reshape", [x, f"shape_of_{gives}"], [gives])


def graph_of(architecture: Architecture, *, started: bool, tokens: str = "int32") -> Graph:
    """The graph of a model, with inputs for the initial state if it is `started` from one; `tokens` is their type.

    It reads `inputs` (batch, timesteps, features) or tokens (batch, timesteps), perhaps `lengths` (batch,), and
    `initial_h_0` and so on (directions, batch, units); it gives `outputs`, and then, of a final state, `Y_h_0` ...
    """
    graph, layers = Graph(), architecture.layers
    batch, timesteps = architecture.batch or "batch", architecture.timesteps or "timesteps"
    x = "inputs"
    if table := architecture.embedding:
        graph.inputs[x] = (tokens, [batch, timesteps])
        graph.weights["table"] = (table.tokens, table.features)
        x = graph.add("Gather", ["table", x], ["embedded"])
    else:
        graph.inputs[x] = (architecture.dtype, [batch, timesteps, layers[0].features])
    if architecture.masking == "lengths":
        graph.inputs["lengths"] = ("int32", [batch])
    batch_first = architecture.mode == BATCH_FIRST
    if not batch_first:
        x = graph.add("Transpose", [x], ["x_0"], perm=[1, 0, 2])
    for k, layer in enumerate(layers):
        if started:
            graph.inputs |= _states(architecture, k, batch)
        Y = _operator(graph, architecture, k, x, started)
        if k < len(layers) - 1:
            x = _sequence(graph, layer, Y, f"x_{k + 1}", [] if batch_first else [0, 2, 1, 3])
    if architecture.return_sequences:
        _sequence(graph, layers[-1], Y, "outputs", [] if batch_first else [2, 0, 1, 3])
    else:
        h = f"Y_h_{len(layers) - 1}"
        h = h if batch_first else graph.add("Transpose", [h], ["h"], perm=[1, 0, 2])
        graph.reshape(h, "outputs", [0, layers[-1].width])
    graph.outputs.append("outputs")
    if architecture.return_state:
        graph.outputs += (f"Y_{part}_{k}" for k, layer in enumerate(layers) for part in layer.cell.parts)
    return graph


def _operator(graph: Graph, architecture: Architecture, k: int, x: str, started: bool) -> str:
    """Layer k; an input that is not there has an empty name, and the last of these are left out."""
    layer = architecture.layers[k]
    directions, rows = 1 + layer.is_bidirectional, len(layer.cell.gates) * layer.units
    graph.weights |= {f"W_{k}": (directions, rows, layer.features), f"R_{k}": (directions, rows, layer.units)}
    if layer.use_bias:
        graph.weights[f"B_{k}"] = (directions, 2 * rows)
    reads = [x, f"W_{k}", f"R_{k}", f"B_{k}" if layer.use_bias else ""]
    reads.append("lengths" if architecture.masking == "lengths" else "")
    reads += [f"initial_{part}_{k}" if started else "" for part in layer.cell.parts]
    while not reads[-1]:
        reads.pop()
    gives = [f"Y_{k}", *(f"Y_{part}_{k}" for part in layer.cell.parts)]
    options = attributes(layer, batch_first=architecture.mode == BATCH_FIRST)
    return graph.add(OPERATORS[layer.cell.name].name, reads, gives, **options)


def _sequence(graph: Graph, layer: Layer, Y: str, gives: str, perm: Sequence[int]) -> str:
    """What operators give, (timesteps, directions, batch, units), with the directions of each timestep side by side."""
    if perm:
        Y = graph.add("Transpose", [Y], [f"by_timestep_{gives}"], perm=list(perm))
    return graph.reshape(Y, gives, [0, 0, layer.width])


def _states(architecture: Architecture, k: int, batch: int | str) -> Mapping[str, tuple[str, Axes]]:
    """The initial state of layer k."""
    layer = architecture.layers[k]
    axes: list[int | str] = [1 + layer.is_bidirectional, batch, layer.units]
    if architecture.mode == BATCH_FIRST:
        axes[:2] = axes[1::-1]
    return {f"initial_{part}_{k}": (architecture.dtype, axes) for part in PARTS if part in layer.cell.parts}
