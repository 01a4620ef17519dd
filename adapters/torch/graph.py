"""The steps of a torch module, as torch.fx traces its forward, and how the file of its state is opened."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

from rnn_conformance.adapters.canonical import Refused
from rnn_conformance.adapters.graph import ACTIVATIONS, Graph, Step
from rnn_conformance.adapters.torch.reading import read_module
from rnn_conformance.adapters.torch.watching import each_tensor as array

_NOTHING = ("Dropout", "Dropout1d", "Identity", "AlphaDropout")
_MODULES = {"ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "Softmax": "softmax"}


def load_state(module: Any, path: Path) -> None:
    """Put a saved state into a module: of safetensors, or of torch.save, which is read with weights alone.

    Raises ValueError for a file that holds anything else.
    """
    import pickle

    import torch

    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            raise ValueError(
                f"{path} holds more than weights, and nothing that a file brings along is run: save module.state_dict()"
            ) from None
    module.load_state_dict(state)


def graph_of(model: Any) -> Graph:
    """The steps of a module; one that cannot be traced, because its way depends on its numbers, is `untold`."""
    import torch

    modules = dict(model.named_modules())
    if isinstance(model, torch.nn.RNNBase):
        steps = tuple(_steps("layer", model, (0,)))
        return Graph((model.input_size,), steps, (1,))
    try:
        traced = torch.fx.symbolic_trace(model)
    except (torch.fx.proxy.TraceError, TypeError, ValueError, RuntimeError) as error:
        untied = [step for path, module in modules.items() if path for step in _steps(path, module, ())]
        told = tuple(step for step in untied if step.kind in ("recurrent", "embedding", "dense"))
        return Graph((), told, (), untold=f"torch.fx cannot trace it: {error}")
    return _Tracing(modules, traced.graph).done()


class _Tracing:
    """What is known so far: the value of each node, and which nodes are recurrent layers as a whole."""

    def __init__(self, modules: dict[str, Any], graph: Any) -> None:
        self.modules, self.nodes = modules, list(graph.nodes)
        self.inputs = [node for node in self.nodes if node.op == "placeholder"]
        self.values: dict[Any, int] = {node: k for k, node in enumerate(self.inputs)}
        self.whole: set[Any] = set()
        self.steps: list[Step] = []
        self.dropped: list[str] = []
        self.kinds: list[str | int] = ["tokens" for _ in self.inputs]

    def done(self) -> Graph:
        returns: tuple[int, ...] = ()
        for node in self.nodes:
            if node.op == "output":
                found = node.args[0] if isinstance(node.args[0], tuple) else (node.args[0],)
                returns = tuple(self.values[each] for each in found)
            elif node.op != "placeholder" and node.users:  # what nobody reads is no part of the model
                self.add(node)
        return Graph(tuple(self.kinds), tuple(self.steps), returns, tuple(self.dropped))

    def add(self, node: Any) -> None:
        reads = tuple(self.values[each] for each in node.all_input_nodes if each in self.values)
        if node.op == "call_module":
            module = self.modules[node.target]
            kind = type(module).__name__
            if kind in _NOTHING:
                self.dropped.append(f"{node.target} ({kind})")
                self.values[node] = reads[0]
                return
            for step in _steps(node.target, module, reads):
                self.put(node, step)
                if step.kind == "recurrent":
                    self.whole.add(node)
            if reads and reads[0] < len(self.inputs) and kind != "Embedding":
                self.kinds[reads[0]] = getattr(module, "input_size", getattr(module, "in_features", 1))
            return
        if node.target is operator.getitem and node.args[0] in self.whole:
            if node.args[1] == 0:
                self.values[node] = reads[0]
                return
        elif node.target is operator.getitem and node.args[1] in (
            (slice(None), -1),
            (slice(None), -1, slice(None)),
        ):
            self.put(node, Step(node.name, "timestep", reads))
            return
        name = str(getattr(node.target, "__name__", node.target))
        if name in ACTIVATIONS and node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else -1) in (-1, None):
            self.put(node, Step(node.name, "activation", reads, name))
            return
        self.put(node, Step(node.name, "hole", reads, name))

    def put(self, node: Any, step: Step) -> None:
        self.steps.append(step)
        self.values[node] = len(self.inputs) + len(self.steps) - 1


def _steps(path: str, module: Any, reads: tuple[int, ...]) -> Any:
    import torch

    kind = type(module).__name__
    if isinstance(module, torch.nn.RNNBase):
        try:
            canonical = read_module(module, path)
        except Refused as reason:
            yield Step(path, "hole", reads, f"{kind}: {reason.field}: {reason.reason}")
            return
        if not module.batch_first or len(reads) > 1:
            why = "its initial state is given" if len(reads) > 1 else "its first axis is time: batch_first is False"
            yield Step(path, "hole", reads, f"{kind}: {why}")
            return
        yield Step(path, "recurrent", reads, canonical=canonical)
    elif kind == "Embedding":
        yield Step(path, "embedding", reads, arrays={"table": array(module.weight)}, options={"mask_zero": False})
    elif kind == "Linear":
        arrays = {"kernel": array(module.weight).T} | ({} if module.bias is None else {"bias": array(module.bias)})
        yield Step(path, "dense", reads, arrays=arrays)
    elif kind in _MODULES and getattr(module, "dim", -1) == -1:
        yield Step(path, "activation", reads, _MODULES[kind])
    else:
        yield Step(path, "hole", reads, kind)
