"""The network of all runtimes of ONNX: a model with the weights in it, or given them with each call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_conformance.adapters.onnx.graph import BATCH_FIRST, Axes, Graph, graph_of
from rnn_conformance.adapters.onnx.operators import OPERATORS
from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import PARTS
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, StateShapes
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, direction_shapes

FED = "weights-as-inputs"
"""The way in which weights are inputs of the model, and no part of it."""

RELOADED = "reloaded"
"""The way in which a model is saved to a file, and run from that."""

NOT_COUNTED = "a model keeps arrays, among them such as no parameter is, and nobody counts them"

_AS_IT_IS = (False, "int32")
"""A model that starts from zeros; tokens, if there are any, are of this type."""

Run = Callable[[Mapping[str, Any]], Sequence[Array]]
"""From what a model reads, by name, to all that it gives."""


@dataclass(frozen=True)
class Runtime:
    """What runs a model: `start` makes it ready, and `shapes` says what it infers of its outputs."""

    start: Callable[[Any, str], Run]  # of a model, in a mode
    shapes: Callable[[Any], Sequence[Axes]]


class OnnxNetwork:
    """The weights are initializers of the model, so that a runtime may arrange them: each load makes another model.

    There is a model with inputs for an initial state and one without, and one for each type of tokens, such as their
    users would write; each is made when it is first called.
    """

    def __init__(self, architecture: Architecture, runtime: Runtime) -> None:
        self._architecture, self._runtime = architecture, runtime
        self._parameters: dict[str, Array] = {}
        self._models: dict[tuple[bool, str], Any] = {}
        self._ready: dict[tuple[bool, str], Run] = {}

    def load(self, weights: Weights) -> None:
        before = self._parameters, self._models, self._ready
        self._parameters = parameters(self._architecture, weights)
        if self._architecture.mode != FED:
            self._models, self._ready = {}, {}
        try:
            self._made(_AS_IT_IS)  # so that what does not fit is refused now
        except Exception:  # of a runtime's own; what is refused changes nothing
            self._parameters, self._models, self._ready = before
            raise

    def weights(self) -> Weights:
        from rnn_conformance.adapters.onnx.arrays import kept_in

        fed = self._architecture.mode == FED
        return _weights(self._architecture, self._parameters if fed else kept_in(self._models[_AS_IT_IS]))

    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        given = {"inputs": inputs, **_named(self._architecture, initial_state)}
        if lengths is not None:
            given["lengths"] = lengths
        if self._architecture.mode == FED:
            given |= self._parameters
        tokens = str(inputs.dtype) if self._architecture.embedding else "int32"
        outputs, *state = self._made((initial_state is not None, tokens))(given)
        return Output(outputs, _nested(self._architecture, state) if self._architecture.return_state else None)

    def parameter_count(self) -> int:
        raise NotImplementedError(NOT_COUNTED)

    def symbolic_shape(self) -> tuple[int | None, ...]:
        """That of the outputs, with None for an axis that has a name."""
        outputs, *_ = self._shapes()
        return _known(outputs)

    def symbolic_state_shapes(self) -> StateShapes:
        """Those of the final states, without the axis of the directions."""
        _, *state = self._shapes()
        directions = 1 if self._architecture.mode == BATCH_FIRST else 0
        inferred = iter(tuple(_known([*shape[:directions], *shape[directions + 1 :]]) for shape in state))
        layers = []
        for layer in self._architecture.layers:
            parts = tuple(next(inferred) for _ in layer.cell.parts)
            layers.append((parts,) * (1 + layer.is_bidirectional))
        return tuple(layers)

    def _made(self, kind: tuple[bool, str]) -> Run:
        """What runs the model that starts from a given state or from zeros, and reads tokens of this type."""
        if kind not in self._ready:
            started, tokens = kind
            kept = {} if self._architecture.mode == FED else self._parameters
            self._models[kind] = self._model(graph_of(self._architecture, started=started, tokens=tokens), kept)
            self._ready[kind] = self._runtime.start(self._models[kind], self._architecture.mode)
        return self._ready[kind]

    def _model(self, graph: Graph, kept: Mapping[str, Array]) -> Any:
        return model_of_graph(self._architecture, graph, kept)

    def _shapes(self) -> Sequence[Axes]:
        return self._runtime.shapes(self._model(graph_of(self._architecture, started=False), {}))


def model_of_graph(architecture: Architecture, graph: Graph, kept: Mapping[str, Array]) -> Any:
    """The model with these weights in it; those that it does not keep are inputs."""
    from rnn_conformance.adapters.onnx.arrays import model_of, value

    dtype = dtype_of(architecture.dtype)
    shapes = {name: np.array(shape) for name, shape in graph.shapes.items()}
    reads = [value(name, dtype_of(of), axes) for name, (of, axes) in graph.inputs.items()]
    reads += (value(name, dtype, shape) for name, shape in graph.weights.items() if name not in kept)
    return model_of(graph.nodes, {**kept, **shapes}, reads, [value(name, dtype, None) for name in graph.outputs])


def parameters(architecture: Architecture, weights: Weights) -> dict[str, Array]:
    """The arrays of a model by their names in it, all of them copies."""
    from rnn_conformance.adapters.onnx.arrays import parameters_of

    found = {} if weights.embedding is None else {"table": np.array(weights.embedding)}
    for k, (layer, given) in enumerate(zip(architecture.layers, weights.layers, strict=True)):
        directions = [direction.named for direction in given.directions]
        found |= parameters_of(directions, k, **OPERATORS[layer.cell.name].rows("there"))
    return found


def _weights(architecture: Architecture, kept: Mapping[str, Array]) -> Weights:
    """The inverse, but for the recurrent bias of a cell that has none, which is zero."""
    from rnn_conformance.adapters.onnx.arrays import weights_in

    layers = []
    for k, layer in enumerate(architecture.layers):
        names = direction_shapes(layer)
        found = weights_in(kept, k, **OPERATORS[layer.cell.name].rows("back"))
        layers.append(LayerWeights.of([LayerWeights({name: arrays[name] for name in names}) for arrays in found]))
    return Weights(tuple(layers), np.array(kept["table"]) if "table" in kept else None)


def _named(architecture: Architecture, state: State | None) -> dict[str, Any]:
    """A state as the inputs of a model; a runtime refuses one of layers that there are not."""
    axis = 1 if architecture.mode == BATCH_FIRST else 0
    found = {}
    for k, directions in enumerate(state or ()):
        for part, arrays in zip(PARTS, zip(*directions, strict=True), strict=False):
            found[f"initial_{part}_{k}"] = np.stack(arrays, axis)
    return found


def _nested(architecture: Architecture, arrays: Sequence[Array]) -> State:
    """The final state, from what a model gives of it."""
    axis = 1 if architecture.mode == BATCH_FIRST else 0
    rest = iter(arrays)
    layers: list[LayerState] = []
    for layer in architecture.layers:
        parts = [np.moveaxis(next(rest), axis, 0) for _ in layer.cell.parts]
        layers.append(tuple(zip(*parts, strict=True)))
    return tuple(layers)


def _known(axes: Axes) -> tuple[int | None, ...]:
    return tuple(axis if isinstance(axis, int) else None for axis in axes)
