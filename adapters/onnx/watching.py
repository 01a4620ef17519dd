"""Watching an ONNX model: what its recurrent nodes read and give becomes an output, and ONNX Runtime runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Call, Canonical, Refused, Survey
from rnn_conformance.adapters.onnx.opening import NoConstant, Opened, open_model
from rnn_conformance.reference.layers.masking import mask_of_lengths
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array

OTHER_BITS = "opened so that its nodes could be seen, the model puts out other bits than it does as it is"
_LENGTHS, _STATES = 4, (5, 6)
"""Which inputs of an operator are the lengths, and the parts of the initial state."""


def watch(model: Any, survey: Survey, arguments: Arguments) -> tuple[list[Call], Any]:
    """Each recurrent node that was read, in the order in which they are run, and what the model puts out.

    `arguments.inputs` are its inputs in order, or by name. Raises ValueError where ONNX Runtime cannot run it.
    """
    import onnx

    opened = open_model(model)
    found = {canonical.path: canonical for canonical in survey.layers}
    feed = _feed(opened, arguments.inputs)
    seen = onnx.ModelProto()
    seen.CopyFrom(opened.proto)
    nodes = dict(Opened(seen).recurrent())
    names = {path: _named_outputs(node, path) for path, node in nodes.items() if path in found}
    shown = {each.name for each in seen.graph.output}
    for path in names:
        for name in (*(n for n in (nodes[path].input[0], *nodes[path].input[_LENGTHS:7]) if n), *names[path]):
            if name not in shown and name not in feed and not _is_constant(opened, name):
                seen.graph.output.add().name = name
                shown.add(name)
    asked = [each.name for each in opened.proto.graph.output]
    values = dict(feed) | _run(seen, feed, [each.name for each in seen.graph.output])
    result = _run_as_it_is(opened, feed, asked)
    why = "" if all(np.array_equal(values[n], result[n], equal_nan=True) for n in asked) else OTHER_BITS
    calls = []
    for path, canonical in found.items():
        given = {name: _value(opened, values, name) for name in nodes[path].input if name}
        calls.append(_call_of(canonical, nodes[path], given, [values[name] for name in names[path]], why))
    outputs = tuple(result[name] for name in asked)
    return calls, outputs if len(outputs) > 1 else outputs[0]


def differentiate(model: Any, canonical: Canonical, arguments: Arguments, cotangent: Output) -> Gradients:
    """There are none. Raises Refused."""
    raise Refused(canonical.path, "gradients", "ONNX describes calls of a trained model: it has no gradients")


def _feed(opened: Opened, inputs: Any) -> dict[str, Any]:
    """What the model is given, in the types that it asks for. Raises ValueError for what does not fit."""
    from onnx import helper

    wanted = {each.name: helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type) for each in opened.inputs}
    if isinstance(inputs, Mapping):
        given = dict(inputs)
    else:
        given = dict(zip(wanted, inputs if isinstance(inputs, tuple) else (inputs,), strict=False))
    if missing := [name for name in wanted if name not in given]:
        raise ValueError(f"the model reads {', '.join(wanted)}: inputs lack {', '.join(missing)}")
    return {name: np.ascontiguousarray(np.asarray(given[name]).astype(dtype)) for name, dtype in wanted.items()}


def _named_outputs(node: Any, path: str) -> list[str]:
    """The names of all that a node can give, Y, Y_h and Y_c; those that it did not have are added."""
    count = 3 if node.op_type == "LSTM" else 2
    while len(node.output) < count:
        node.output.append("")
    for k, name in enumerate(node.output):
        node.output[k] = name or f"{path}/output {k}"
    return list(node.output[:count])


def _is_constant(opened: Opened, name: str) -> bool:
    try:
        opened.constant(name)
    except NoConstant:
        return False
    return True


def _value(opened: Opened, values: Mapping[str, Any], name: str) -> Any:
    return values[name] if name in values else opened.constant(name)


def _session(proto: Any) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised, too
    try:
        return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has many kinds of its own, which have no class in common
        raise ValueError(f"ONNX Runtime cannot run the model: {error}") from error


def _run(proto: Any, feed: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    return dict(zip(names, _session(proto).run(names, dict(feed)), strict=True))


def _run_as_it_is(opened: Opened, feed: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    if opened.session is None:
        return _run(opened.proto, feed, names)
    return dict(zip(names, opened.session.run(names, dict(feed)), strict=True))


def _call_of(canonical: Canonical, node: Any, given: Mapping[str, Any], results: list[Any], not_seen: str) -> Call:
    batch_first = any(each.name == "layout" and each.i for each in node.attribute)

    def by_batch(array: Any) -> Array:
        return np.array(array if batch_first else np.swapaxes(array, 0, 1))

    def state(arrays: list[Any]) -> State:
        """Of arrays (directions, batch, units), or with the batch first."""
        parts = [np.swapaxes(array, 0, 1) if batch_first else np.asarray(array) for array in arrays]
        return (tuple(tuple(np.array(part[j]) for part in parts) for j in range(len(parts[0]))),)

    x = by_batch(given[node.input[0]])
    Y, *final = results
    Y = np.asarray(Y) if batch_first else np.transpose(Y, (2, 0, 1, 3))
    names = list(node.input)
    starts = [given[names[k]] for k in _STATES if len(names) > k and names[k]]
    lengths = given[names[_LENGTHS]] if len(names) > _LENGTHS and names[_LENGTHS] else None
    return Call(
        canonical,
        x,
        Output(Y.reshape(*x.shape[:2], -1), state(final)),
        state(starts) if starts else None,
        None if lengths is None else mask_of_lengths(np.asarray(lengths), x.shape[1]),
        not_seen=not_seen,
    )
