"""A model of ONNX as a script of its own, such as one pastes into a bug report: its nodes, and what runs them.

A script reads and sets what `Adapter` in protocol.py says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.onnx.graph import BATCH_FIRST, Axes, Graph, graph_of
from rnn_conformance.adapters.onnx.network import FED
from rnn_conformance.adapters.onnx.operators import OPERATORS
from rnn_conformance.reference.cells.cell import PARTS
from rnn_conformance.reference.model.architecture import Architecture


def script(architecture: Architecture, wants: str, imports: Sequence[str], running: Sequence[str]) -> str:
    """Python source; `running` are the lines that run `model` on what is `given`, the last an expression.

    Raises ValueError where `wants` is not "outputs": ONNX has no gradients.
    """
    if wants != "outputs":
        raise ValueError(f"a script gives outputs or gradients, of which ONNX has none, and not {wants!r}")
    graph = graph_of(architecture, started=True)
    *before, results = running
    parts = [_nodes(graph), _model(architecture, graph), before, _results(architecture, results)]
    code = "\n".join(line for part in parts for line in part)
    of_all = ["import numpy as np", "from onnx import helper, numpy_helper"]
    modules = sorted([*imports, *of_all], key=lambda statement: (statement.startswith("from"), statement))
    return "\n".join(modules) + f"\n\n\n{functions('onnx/arrays.py', code)}\n\n\n{code}\n"


def _nodes(graph: Graph) -> Iterator[str]:
    """The nodes; an initial state is read only if there is one."""
    from onnx import helper

    yield "nodes = ["
    for node in graph.nodes:
        options = {each.name: _source(helper.get_attribute_value(each)) for each in node.attribute}
        reads = (f'"{name}"' + ' if initial_state else ""' * name.startswith("initial_") for name in node.input)
        gives = (f'"{name}"' for name in node.output)
        words = [f'"{node.op_type}"', f"[{', '.join(reads)}]", f"[{', '.join(gives)}]"]
        words += (f"{name}={value}" for name, value in options.items())
        yield f"    helper.make_node({', '.join(words)}),"
    yield "]"


def _source(value: Any) -> str:
    """An attribute as source: a word, a number, or a list of either."""
    if isinstance(value, bytes):
        return f'"{value.decode()}"'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(float(f"{value:.9g}"))  # enough for a float32, which an attribute is
    return "[" + ", ".join(map(_source, value)) + "]"


def _model(architecture: Architecture, graph: Graph) -> Iterator[str]:
    """The model, and what it is given by the names of its inputs."""
    weights = ['{"table": table}'] if architecture.embedding else []
    for k, layer in enumerate(architecture.layers):
        directions = f"[layers[{k}]" + (f', layers[{k}]["backward"]]' if layer.is_bidirectional else "]")
        order = OPERATORS[layer.cell.name].there
        weights.append(f"parameters_of({', '.join(filter(None, (directions, str(k), order)))})")
    shapes = "{" + ", ".join(f'"{name}": np.array({shape})' for name, shape in graph.shapes.items()) + "}"
    dtype = "table.dtype" if architecture.embedding else "inputs.dtype"
    at_once = {name: each for name, each in graph.inputs.items() if not name.startswith("initial_")}
    reads = (f'value("{name}", {_dtype(of, dtype)}, {_axes(axes)})' for name, (of, axes) in at_once.items())
    given = (f'"{name}": {name}' for name in at_once)
    yield f"weights = {' | '.join(weights)}"
    yield f"reads, given = [{', '.join(reads)}], {{{', '.join(given)}}}"
    yield "if initial_state:"
    for name, (_, axes) in graph.inputs.items():
        if name not in at_once:
            _, part, number = name.split("_")
            yield f'    reads.append(value("{name}", {dtype}, {_axes(axes)}))'
            yield f'    given["{name}"] = {_stacked(architecture, part, int(number))}'
    gives = ", ".join(f'value("{name}", {dtype}, None)' for name in graph.outputs)
    if architecture.mode == FED:
        yield "reads += [value(name, array.dtype, array.shape) for name, array in weights.items()]"
        yield "given |= weights"
        yield f"model = model_of(nodes, {shapes}, reads, [{gives}])"
    else:
        yield f"model = model_of(nodes, weights | {shapes}, reads, [{gives}])"


def _stacked(architecture: Architecture, part: str, k: int) -> str:
    """Of the initial state of layer k this part in each direction; an array by itself if it is the only one."""
    axis = ", axis=1" if architecture.mode == BATCH_FIRST else ""
    if len(architecture.layers[k].cell.parts) == 1:
        return f"np.stack(initial_state[{k}]{axis})"
    return f"np.stack([parts[{PARTS.index(part)}] for parts in initial_state[{k}]]{axis})"


def _dtype(name: str, of_weights: str) -> str:
    return "np.int32" if name == "int32" else of_weights


def _axes(axes: Axes) -> str:
    return "[" + ", ".join(f'"{axis}"' if isinstance(axis, str) else str(axis) for axis in axes) + "]"


def _results(architecture: Architecture, results: str) -> Iterator[str]:
    """The outputs, and the state of each layer, for each direction an array or a tuple of them."""
    if not architecture.return_state:
        yield f"(outputs,) = {results}"
        return
    yield f"outputs, *states = {results}"
    if architecture.mode == BATCH_FIRST:
        yield "states = [state.swapaxes(0, 1) for state in states]"
    layers, read = [], 0
    for layer in architecture.layers:
        parts = [f"states[{read + j}]" for j in range(len(layer.cell.parts))]
        read += len(parts)
        layers.append(f"tuple(zip({', '.join(parts)}))" if len(parts) > 1 else f"tuple({parts[0]})")
    yield f"final_state = [{', '.join(layers)}]"
