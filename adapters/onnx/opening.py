"""An ONNX model as somebody has it, a file, a model or a session of ONNX Runtime, and the constants that it keeps."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.canonical import Refused

OWN_DOMAINS = ("", "ai.onnx")
RECURRENT = ("RNN", "LSTM", "GRU")


class NoConstant(Exception):
    """Something that depends on what the model is given."""


@dataclass(frozen=True, eq=False)
class Opened:
    """A model whose functions are inlined, what makes each of its values, and the arrays that it keeps, by name.

    `session` is there if it was given as one.
    """

    proto: Any
    session: Any = None
    kept: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def inputs(self) -> list[Any]:
        """What a call has to give: a default may be there for others."""
        initializers = {each.name for each in self.proto.graph.initializer}
        return [each for each in self.proto.graph.input if each.name not in initializers]

    @cached_property
    def makers(self) -> dict[str, int]:
        """The number of the node that makes each value."""
        return {name: k for k, node in enumerate(self.proto.graph.node) for name in node.output if name}

    def recurrent(self) -> Iterator[tuple[str, Any]]:
        """Each node that is recurrent, or looks it, with its path: its name, or else one by its number."""
        taken: set[str] = set()
        for k, node in enumerate(self.proto.graph.node):
            if any(word in node.op_type for word in RECURRENT):
                path = node.name if node.name and node.name not in taken else f"{node.op_type}_{k}"
                taken.add(path)
                yield path, node

    def constant(self, name: str) -> NDArray[Any]:
        """The array that a value always is: kept as it is, or computed from what is kept. Raises NoConstant.

        It is computed by ONNX's reference evaluator, from the operators of the standard alone.
        """
        if name not in self.kept:
            self.kept[name] = _computed(self, name)
        return self.kept[name]


def open_model(model: Any) -> Opened:
    """A model by its path, as it is, or as the session that runs it. Raises Refused for a session made of neither."""
    import onnx
    from onnx import inliner, numpy_helper

    session, made_of = None, model
    if _is_session(model):
        session = model
        made_of = getattr(model, "_model_bytes", None) or getattr(model, "_model_path", None)
        if not made_of:
            raise Refused(
                "", "session", "what it was made of cannot be read from it: give the file or the model instead"
            )
    if isinstance(made_of, bytes):
        proto = onnx.load_from_string(made_of)
    elif isinstance(made_of, str | os.PathLike):
        proto = _loaded(Path(made_of))
    else:
        proto = made_of
    if proto.functions:
        proto = inliner.inline_local_functions(proto)
    return Opened(proto, session, {each.name: numpy_helper.to_array(each) for each in proto.graph.initializer})


def _loaded(path: Path) -> Any:
    """The model of a file. Raises ValueError for what is none, or names files that lie elsewhere."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(path)
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise ValueError(f"{path} is no ONNX model: {error}") from None


def owns(model: Any) -> bool:
    """Whether it is the path of an ``.onnx`` file, a model of the package onnx, or a session of ONNX Runtime."""
    return is_file(model) or _is_session(model) or ("onnx" in sys.modules and _is_proto(model))


def is_file(model: Any) -> bool:
    """Whether it is the path of such a file."""
    return isinstance(model, str | os.PathLike) and os.fspath(model).endswith(".onnx")


def _is_proto(model: Any) -> bool:
    import onnx

    return isinstance(model, onnx.ModelProto)


def _is_session(model: Any) -> bool:
    if "onnxruntime" not in sys.modules:
        return False
    import onnxruntime

    return isinstance(model, onnxruntime.InferenceSession)


def _computed(opened: Opened, name: str) -> NDArray[Any]:
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    nodes = list(_needed(opened, name))
    read = {each for node in nodes for each in node.input} & opened.kept.keys()
    kept = [each for each in opened.proto.graph.initializer if each.name in read]
    graph = helper.make_graph(
        nodes, "constant", [], [helper.make_value_info(name, helper.make_tensor_type_proto(0, None))], kept
    )
    model = helper.make_model(graph, opset_imports=opened.proto.opset_import, ir_version=opened.proto.ir_version)
    (array,) = ReferenceEvaluator(model).run([name], {})
    return np.asarray(array)


def _needed(opened: Opened, name: str) -> Sequence[Any]:
    """The nodes that make a value, in order. Raises NoConstant where one reads what is given."""
    nodes = list(opened.proto.graph.node)
    initializers = {each.name for each in opened.proto.graph.initializer}
    found: set[int] = set()
    left = [name]
    while left:
        one = left.pop()
        if one in initializers or not one:
            continue
        k = opened.makers.get(one)
        if k is None or nodes[k].domain not in OWN_DOMAINS or nodes[k].op_type.startswith("Random"):
            raise NoConstant(one)
        if k not in found:
            found.add(k)
            left += nodes[k].input
    return [nodes[k] for k in sorted(found)]
