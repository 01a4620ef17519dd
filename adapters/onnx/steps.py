"""The steps of an ONNX model: its recurrent nodes and what lies between them, read backwards from what it puts out.

Exporters put Transpose, Squeeze and Reshape around the recurrent operators, whose axes are in an order of their own. So
each value is the step that it came from and the names of its axes: what only moves axes makes no step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Refused
from rnn_conformance.adapters.graph import ACTIVATIONS, Graph, Step
from rnn_conformance.adapters.onnx.opening import OWN_DOMAINS, NoConstant, Opened, open_model
from rnn_conformance.adapters.onnx.reading import read_node

Axes = tuple[str, ...]

SEQUENCE: Axes = ("batch", "time", "features")
FINAL: Axes = ("batch", "features")
_TOKENS: Axes = ("batch", "time")
_SAME = ("Identity", "Dropout", "Cast")
_STARTS = (5, 6)
_LENGTHS = 4


class Untold(Exception):
    """What stands between two steps, and is none that is known."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path, self.what = path, what


@dataclass(frozen=True)
class Value:
    """A value of a model: the number of the step whose it is, and its axes in order.

    What comes of a recurrent node has axes ``directions`` and ``units``, until these are ``features``. It may be the
    `final` output; several of these one behind the other, the `parts`; or that of one `direction` of two.
    """

    number: int
    axes: Axes
    final: bool = False
    parts: tuple[Value, ...] = ()
    direction: int | None = None


def graph_of(model: Any) -> Graph:
    """The steps of a model; one with something in it that is not known is `untold`, and its layers are untied."""
    opened = open_model(model)
    try:
        return _Reading(opened).done()
    except Untold as reason:
        steps = [step for path, node in opened.recurrent() if (step := _alone(opened, node, path)) is not None]
        return Graph((), tuple(steps), (), untold=str(reason))


def _alone(opened: Opened, node: Any, path: str) -> Step | None:
    try:
        return Step(path, "recurrent", (), canonical=read_node(opened, node, path))
    except Refused:
        return None


class _Reading:
    """What is known so far: the value of each name, and the steps in order."""

    def __init__(self, opened: Opened) -> None:
        self.opened, self.nodes = opened, list(opened.proto.graph.node)
        self.paths = {next(filter(None, node.output)): path for path, node in opened.recurrent()}
        self.inputs = {each.name: k for k, each in enumerate(opened.inputs)}
        self.kinds: list[str | int | None] = [None] * len(self.inputs)
        self.steps: list[Step] = []
        self.dropped: list[str] = []
        self.values: dict[str, Value] = {}
        self.units: dict[int, tuple[int, int]] = {}
        self.known: dict[str, Callable[[Any], Value]] = {
            "Gather": self.gather,
            "Concat": self.concat,
            "Gemm": self.gemm,
            "MatMul": self.matmul,
            "Add": self.add,
            "Transpose": self.transpose,
            "Squeeze": self.squeeze,
            "Reshape": self.reshape,
            **dict.fromkeys(_SAME, self.same),
        }

    def done(self) -> Graph:
        returns = []
        for each in self.opened.proto.graph.output:
            value = self.value(each.name)
            if value.axes not in (SEQUENCE, FINAL):
                raise Untold(each.name, f"the model puts out axes {', '.join(value.axes)}")
            returns.append(value.number)
        finals = {step.reads[0] for step in self.steps if step.kind == "final"}
        if both := finals & {k for step in self.steps if step.kind != "final" for k in step.reads}:
            step = self.steps[min(both) - len(self.inputs)]
            raise Untold(step.path, "both all outputs of it and the final one are read")
        kinds = tuple("tokens" if kind is None else kind for kind in self.kinds)
        return Graph(kinds, tuple(self.steps), tuple(returns), tuple(self.dropped))

    def value(self, name: str) -> Value:
        """The value of this name, once what it needs is known. Raises Untold."""
        if name not in self.values:
            if name in self.inputs:
                return self.input(name)
            node = self.maker(name)
            if node is None:
                raise Untold(name, "it is a constant, and no step of the model")
            path = self.paths.get(next(filter(None, node.output)))
            if path is not None:
                self.recurrent(node, path)
            else:
                known = self.known.get(node.op_type, self.plain) if node.domain in OWN_DOMAINS else self.plain
                self.values[node.output[0]] = known(node)
        if name not in self.values:
            raise Untold(name, "it is a further output of its node")
        return self.values[name]

    def maker(self, name: str) -> Any:
        """The node that makes a value; None for what is kept or given."""
        k = self.opened.makers.get(name)
        return None if k is None else self.nodes[k]

    def input(self, name: str) -> Value:
        """An input of the model: tokens, or a sequence whose first axis is the batch."""
        of = next(each for each in self.opened.inputs if each.name == name).type.tensor_type
        if len(of.shape.dim) == 2:
            return Value(self.inputs[name], _TOKENS)
        if len(of.shape.dim) != 3 or not of.shape.dim[2].dim_value:
            raise Untold(name, "an input that is neither tokens (batch, timesteps) nor (batch, timesteps, features)")
        self.kinds[self.inputs[name]] = of.shape.dim[2].dim_value
        return Value(self.inputs[name], SEQUENCE)

    def put(self, step: Step, axes: Axes) -> Value:
        self.steps.append(step)
        return Value(len(self.inputs) + len(self.steps) - 1, axes)

    def path(self, node: Any) -> str:
        """Its name, or one that its first output has."""
        return node.name or node.output[0] or node.op_type

    def constant(self, name: str) -> np.ndarray | None:
        """The array that a value always is; None for one that depends on what is given."""
        try:
            return np.asarray(self.opened.constant(name))
        except NoConstant:
            return None

    # What computes

    def recurrent(self, node: Any, path: str) -> None:
        """A recurrent node, and its final state."""
        try:
            canonical = read_node(self.opened, node, path)
        except Refused as reason:
            raise Untold(path, f"{node.op_type}: {reason.field}: {reason.reason}") from None
        batch_first = any(each.name == "layout" and each.i for each in node.attribute)
        x = self.value(node.input[0])
        wanted = SEQUENCE if batch_first else ("time", "batch", "features")
        if x.axes != wanted:
            raise Untold(path, f"it reads axes {', '.join(x.axes)}, and its batch is not that of the model")
        names = [*node.input, *[""] * 8]
        if names[_LENGTHS]:
            raise Untold(path, "it is given sequence_lens, for which there is no input in a ported model")
        if any(names[k] and not self.is_zero(names[k]) for k in _STARTS):
            raise Untold(path, "it is given an initial state")
        value = self.put(Step(path, "recurrent", (x.number,), canonical=canonical), ())
        (layer,) = canonical.architecture.layers
        self.units[value.number] = 1 + layer.is_bidirectional, layer.units
        Y, Y_h = ("batch", "time", "directions", "units"), ("batch", "directions", "units")
        Y, Y_h = (
            (Y, Y_h) if batch_first else (("time", "directions", "batch", "units"), ("directions", "batch", "units"))
        )
        kinds = (replace(value, axes=Y), replace(value, axes=Y_h, final=True), replace(value, axes=("the state c",)))
        self.values |= {name: each for name, each in zip(node.output, kinds, strict=False) if name}

    def is_zero(self, name: str) -> bool:
        """Whether a value is zero whatever the model is given: zeros that are made as long as the batch is."""
        array = self.constant(name)
        if array is not None:
            return not array.any()
        node = self.maker(name)
        if node is None:
            return False
        if node.op_type == "ConstantOfShape":
            return not any(np.any(_array_of(each)) for each in node.attribute)
        moves = ("Expand", "Reshape", "Unsqueeze", "Squeeze", "Transpose", "Tile", "Slice", "Identity", "Cast")
        return node.op_type in moves and self.is_zero(node.input[0])

    def gather(self, node: Any) -> Value:
        """A row of a table for each token, or one place along an axis."""
        table = self.constant(node.input[0])
        if table is not None and table.ndim == 2 and _option(node, "axis", 0) == 0:
            tokens = self.value(node.input[1])
            if tokens.axes != _TOKENS:
                raise Untold(self.path(node), "a Gather that is no embedding of tokens")
            options = {"mask_zero": False}
            step = Step(self.path(node), "embedding", (tokens.number,), arrays={"table": table}, options=options)
            return self.put(step, SEQUENCE)
        x, index = self.value(node.input[0]), self.constant(node.input[1])
        axis = x.axes[_option(node, "axis", 0)]
        rest = tuple(each for each in x.axes if each != axis)
        if index is None or index.ndim:
            raise Untold(self.path(node), f"a Gather of several of the {axis}")
        at = int(index)
        if axis == "directions":
            each = [(part, j) for part in x.parts or (x,) for j in range(self.directions(part))]
            part, j = each[at]
            if self.directions(part) == 1:
                return self.flat(replace(part, axes=rest))
            if part.final and rest == ("batch", "units"):
                return replace(part, axes=("batch", "one direction"), direction=j)
        if axis == "time" and at == -1 and rest == FINAL:
            return self.put(Step(self.path(node), "timestep", (x.number,)), FINAL)
        raise Untold(self.path(node), f"a Gather of one of the {axis}")

    def concat(self, node: Any) -> Value:
        """The final states of several layers one behind the other, or those of two directions side by side."""
        each = [self.value(name) for name in node.input]
        axis = each[0].axes[_option(node, "axis", 0)]
        if axis == "directions" and all(value.final for value in each):
            return replace(each[0], parts=tuple(each))
        both = [(value.number, value.direction) for value in each]
        if axis == "one direction" and both == [(each[0].number, 0), (each[0].number, 1)]:
            return self.flat(replace(each[0], axes=("batch", "units"), direction=None))
        raise Untold(self.path(node), "a Concat")

    def directions(self, value: Value) -> int:
        """How many a recurrent value has; 0 of another one."""
        return self.units.get(value.number, (0, 0))[0]

    def gemm(self, node: Any) -> Value:
        """A dense layer."""
        kernel, bias = self.constant(node.input[1]), None
        if len(node.input) > 2 and node.input[2]:
            bias = self.constant(node.input[2])
        plain = _option(node, "alpha", 1.0) == _option(node, "beta", 1.0) == 1.0 and not _option(node, "transA", 0)
        x = self.value(node.input[0])
        if kernel is None or not plain or x.axes != FINAL:
            raise Untold(self.path(node), "a Gemm that is no dense layer")
        kernel = kernel.T if _option(node, "transB", 0) else kernel
        return self.dense(node, x, kernel, bias)

    def matmul(self, node: Any) -> Value:
        """A dense layer without its bias."""
        kernel, x = self.constant(node.input[1]), self.value(node.input[0])
        if kernel is None or kernel.ndim != 2 or x.axes[-1:] != ("features",):
            raise Untold(self.path(node), "a MatMul that is no dense layer")
        return self.dense(node, x, kernel, None)

    def dense(self, node: Any, x: Value, kernel: np.ndarray, bias: np.ndarray | None) -> Value:
        if bias is not None and bias.size != kernel.shape[1]:
            raise Untold(self.path(node), f"a bias {bias.shape} beside a kernel {kernel.shape}")
        arrays = {"kernel": kernel, **({} if bias is None else {"bias": bias.reshape(-1)})}
        return self.put(Step(self.path(node), "dense", (x.number,), arrays=arrays), x.axes)

    def add(self, node: Any) -> Value:
        """The bias of the dense layer before, which is part of its step."""
        constants = [self.constant(name) for name in node.input]
        if [array is None for array in constants].count(True) != 1:
            raise Untold(self.path(node), "an Add of two values")
        k = next(k for k, array in enumerate(constants) if array is None)
        bias, x = constants[1 - k], self.value(node.input[k])
        last = self.steps[-1] if self.steps else None
        is_last = x.number == len(self.inputs) + len(self.steps) - 1
        if last is None or bias is None or not is_last or last.kind != "dense" or "bias" in last.arrays:
            raise Untold(self.path(node), "an Add that is no bias of a dense layer")
        width = last.arrays["kernel"].shape[1]
        if bias.shape not in ((width,), (1, width), (1, 1, width)) or self.uses(node.input[k]) > 1:
            raise Untold(self.path(node), f"an Add of {bias.shape}, which is no bias")
        self.steps[-1] = replace(last, arrays={**last.arrays, "bias": bias.reshape(width)})
        return x

    def uses(self, name: str) -> int:
        """How often a value is read, or put out."""
        put_out = [each.name for each in self.opened.proto.graph.output]
        return sum(list(node.input).count(name) for node in self.nodes) + put_out.count(name)

    # What only moves axes

    def transpose(self, node: Any) -> Value:
        x = self.value(node.input[0])
        perm = _option(node, "perm", list(reversed(range(len(x.axes)))))
        return self.flat(replace(x, axes=tuple(x.axes[k] for k in perm)))

    def squeeze(self, node: Any) -> Value:
        x = self.value(node.input[0])
        axes = self.constant(node.input[1]) if len(node.input) > 1 else _option(node, "axes", None)
        gone = [x.axes[int(k)] for k in np.ravel(axes)] if axes is not None else ["directions"]
        if gone != ["directions"] or self.directions(x) != 1 or x.parts:
            raise Untold(self.path(node), f"a Squeeze of {', '.join(gone)}")
        return self.flat(replace(x, axes=tuple(each for each in x.axes if each != "directions")))

    def reshape(self, node: Any) -> Value:
        """Both directions side by side."""
        x, shape = self.value(node.input[0]), self.constant(node.input[1])
        directions, units = self.units.get(x.number, (0, 0))
        joins = x.axes[-2:] == ("directions", "units") and not x.parts
        if not joins or shape is None or len(shape) != len(x.axes) - 1 or shape[-1] not in (-1, directions * units):
            raise Untold(self.path(node), f"a Reshape of {', '.join(x.axes)}")
        if (
            _option(node, "allowzero", 0)
            or any(int(each) > 0 for each in shape[:-1])
            or list(shape).count(-1) > 1
            or not _keeps(shape)
        ):
            raise Untold(self.path(node), "a Reshape that moves numbers between its axes")
        return self.flat(replace(x, axes=(*x.axes[:-2], "units")))

    def flat(self, x: Value) -> Value:
        """Once the axis of the directions is gone, the units are the features; of a final output that is a step."""
        if "directions" in x.axes or "units" not in x.axes:
            return x
        axes = tuple("features" if each == "units" else each for each in x.axes)
        if not x.final:
            return replace(x, axes=axes)
        made = [k for k, step in enumerate(self.steps) if step.kind == "final" and step.reads == (x.number,)]
        path = self.steps[x.number - len(self.inputs)].path
        return Value(len(self.inputs) + made[0], axes) if made else self.put(Step(path, "final", (x.number,)), axes)

    @property
    def version(self) -> int:
        """That of the operators of the standard."""
        return max(each.version for each in self.opened.proto.opset_import if each.domain in OWN_DOMAINS)

    def same(self, node: Any) -> Value:
        """What changes nothing out of training. Raises Untold where it may."""
        from onnx import TensorProto

        x = self.value(node.input[0])
        training = self.constant(node.input[2]) if node.op_type == "Dropout" and len(node.input) > 2 else None
        if training is not None and training.any():
            raise Untold(self.path(node), "a Dropout in training")
        whole = (TensorProto.INT32, TensorProto.INT64)
        if node.op_type == "Cast" and (x.axes != _TOKENS or _option(node, "to", 0) not in whole):
            raise Untold(self.path(node), "a Cast, which may round")
        if node.op_type == "Dropout":
            self.dropped.append(f"{self.path(node)} (Dropout)")
        return x

    def plain(self, node: Any) -> Value:
        """What comes after a dense layer, or is nothing out of training. Raises Untold for all else."""
        name = node.op_type.lower()
        if node.domain in OWN_DOMAINS and name in ACTIVATIONS:
            x = self.value(node.input[0])
            if "features" not in x.axes:
                raise Untold(self.path(node), f"a {node.op_type} of axes {', '.join(x.axes)}")
            axis = _option(node, "axis", -1 if self.version >= 13 else 1)
            if name == "softmax" and (x.axes[-1] != "features" or axis not in (-1, len(x.axes) - 1)):
                raise Untold(self.path(node), "a Softmax over another axis than the last")
            return self.put(Step(self.path(node), "activation", (x.number,), name), x.axes)
        raise Untold(self.path(node), node.op_type)


def _keeps(shape: Any) -> bool:
    """Whether all but the last axis stay as they are: a zero each, or -1 for one of them beside a known last one."""
    before = [int(each) for each in shape[:-1]]
    return all(each == 0 for each in before) or (before.count(-1) == 1 and before.count(0) == len(before) - 1)


def _option(node: Any, name: str, usual: Any) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), usual)


def _array_of(attribute: Any) -> Any:
    from onnx import helper, numpy_helper

    value = helper.get_attribute_value(attribute)
    return numpy_helper.to_array(value) if attribute.HasField("t") else value
