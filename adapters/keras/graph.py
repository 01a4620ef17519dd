"""The steps of a Keras model: a Functional one or a Sequential, from its own graph, and how its file is opened."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from rnn_conformance.adapters.canonical import Refused
from rnn_conformance.adapters.graph import ACTIVATIONS, Graph, Step
from rnn_conformance.adapters.keras.reading import is_recurrent, read_layer
from rnn_conformance.adapters.keras.watching import array

_NOTHING = ("Dropout", "SpatialDropout1D", "GaussianNoise", "ActivityRegularization")
"""Layers that change nothing out of training."""

_OPERATIONS = {"ReLU": "relu", "Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "Softmax": "softmax"}
"""Activations that stand by themselves, by their class: layers, and operations of `keras.ops` in a functional model."""


def open_file(path: Path) -> Any:
    """The model of a ``.keras`` file. Raises ValueError for one that names code which is not Keras' own.

    Such a file names classes and functions by module: only those of Keras are loaded, and no lambda.
    """
    import keras

    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no .keras file: {error}") from None
    for what in _foreign(config):
        raise ValueError(f"{path} names {what}, which is not Keras' own: nothing that a file brings along is run")
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def _foreign(config: Any) -> Any:
    """Each class or function of a configuration that is not Keras' own."""
    if isinstance(config, dict):
        module, name = config.get("module"), config.get("class_name")
        if isinstance(name, str) and "config" in config:
            is_own = module is None or module == "builtins" or str(module).partition(".")[0] == "keras"
            if not is_own or name in ("Lambda", "__lambda__") or (config.get("registered_name") or name) != name:
                yield f"{module}.{name}"
        for value in config.values():
            yield from _foreign(value)
    elif isinstance(config, list):
        for value in config:
            yield from _foreign(value)


def graph_of(model: Any) -> Graph:
    """The steps of a model; one that is neither Functional nor Sequential has no graph, and is `untold`."""
    import keras

    if isinstance(model, keras.Sequential):
        model = model._functional  # the graph that it made of its layers
    if not isinstance(model, keras.Model) or not hasattr(model, "_nodes_by_depth"):
        return Graph((), tuple(_untied(model)), (), untold="a subclassed Keras model has no graph of its layers")
    values: dict[int, int] = {id(tensor): k for k, tensor in enumerate(model.inputs)}
    masks: dict[int, int | None] = dict.fromkeys(values.values())
    steps: list[Step] = []
    dropped: list[str] = []

    def add(step: Step, mask: int | None) -> int:
        steps.append(step)
        number = len(model.inputs) + len(steps) - 1
        masks[number] = mask
        return number

    only_masks = _only_masks(model)
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            layer = node.operation
            given = node.arguments.kwargs.get("mask")
            if type(layer).__name__ == "NotEqual" and {id(tensor) for tensor in node.outputs} <= only_masks:
                continue  # the mask of an embedding, which Keras traces as an operation: `masked_by` says it
            reads = tuple(values[id(tensor)] for tensor in node.input_tensors if tensor is not given)
            for made in _steps(layer, reads, masks[reads[0]] if reads else None, given):
                if isinstance(made, str):
                    dropped.append(made)
                    number = reads[0]
                    continue
                step, mask = made
                reads = (number,) if step.kind in ("final", "activation") else step.reads
                number = add(Step(**{**vars(step), "reads": reads}), mask)
            for tensor in node.outputs:
                values[id(tensor)] = number
    returns = tuple(values[id(tensor)] for tensor in model.outputs)
    kinds = tuple(_kind(tensor) for tensor in model.inputs)
    timesteps = next((tensor.shape[1] for tensor in model.inputs if len(tensor.shape) > 1), None)
    return Graph(kinds, tuple(steps), returns, tuple(dropped), timesteps)


def _only_masks(model: Any) -> set[int]:
    """The ids of the tensors that are read as a mask, and as nothing else."""
    nodes = [node for nodes in model._nodes_by_depth.values() for node in nodes if not node.is_input]
    masks = {id(mask) for node in nodes if (mask := node.arguments.kwargs.get("mask")) is not None}
    read = {
        id(tensor) for node in nodes for tensor in node.input_tensors if tensor is not node.arguments.kwargs.get("mask")
    }
    return masks - read


def _kind(tensor: Any) -> str | int:
    return "tokens" if "int" in str(tensor.dtype) or len(tensor.shape) == 2 else int(tensor.shape[-1])


def _untied(model: Any) -> Any:
    from rnn_conformance.adapters.keras.reading import walk

    for path, layer in walk(model):
        if path:
            made = [each for each in _steps(layer, (), None) if not isinstance(each, str)]
            yield from (step for step, _ in made if step.kind in ("recurrent", "embedding", "dense"))


def _steps(layer: Any, reads: tuple[int, ...], mask: int | None, given: Any = None) -> Any:
    """Each step that a layer is, with the mask of what it puts out; a text where it is none out of training."""
    import keras

    kind, path = type(layer).__name__, layer.name
    if kind in _NOTHING or (kind == "Activation" and layer.activation is keras.activations.linear):
        yield f"{path} ({kind})"
    elif is_recurrent(layer) and len(reads) <= 1:
        try:
            canonical = read_layer(layer, path)
        except Refused as reason:
            yield Step(path, "hole", reads, f"{kind}: {reason.field}: {reason.reason}"), None
            return
        if canonical.architecture.return_state or canonical.architecture.stateful:
            yield Step(path, "hole", reads, f"{kind} whose states are returned or kept"), None
            return
        if given is not None and mask is None:
            yield Step(path, "hole", reads, f"{kind} with a mask that does not come from an Embedding"), None
            return
        every = canonical.architecture.return_sequences
        yield Step(path, "recurrent", reads, canonical=canonical, masked_by=mask), mask if every else None
        if not every:
            yield Step(path, "final", reads), None
    elif kind == "Embedding":
        options = {"mask_zero": bool(layer.mask_zero)}
        step = Step(path, "embedding", reads, arrays={"table": array(layer.embeddings.value)}, options=options)
        yield step, reads[0] if layer.mask_zero and reads else None
    elif kind == "Dense" and (name := _activation(layer)) is not None:
        arrays = {"kernel": array(layer.kernel.value)} | ({"bias": array(layer.bias.value)} if layer.use_bias else {})
        yield Step(path, "dense", reads, arrays=arrays), mask
        if name:
            yield Step(f"{path}_{name}", "activation", reads, name), mask
    elif kind == "TimeDistributed" and type(layer.layer).__name__ == "Dense":
        yield from _steps(layer.layer, reads, mask)
    elif kind in ("Activation", *_OPERATIONS) and (name := _activation(layer)):
        yield Step(path, "activation", reads, name), mask
    else:
        yield Step(path, "hole", reads, kind), None


def _activation(layer: Any) -> str | None:
    """The name of its activation, empty for none; None for one that is not known here."""
    import keras

    if kind := _OPERATIONS.get(type(layer).__name__):
        usual = {"axis": -1, "max_value": None, "negative_slope": 0, "threshold": 0}
        return kind if all(getattr(layer, name, value) == value for name, value in usual.items()) else None
    for name in ACTIVATIONS:
        if layer.activation is getattr(keras.activations, name):
            return name
    return "" if layer.activation is keras.activations.linear else None
