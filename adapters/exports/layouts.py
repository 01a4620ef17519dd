"""Where models of ONNX, LiteRT and OpenVINO keep their constants of float32 (see marks.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np

from rnn_conformance.adapters.exports.marks import Array, Layout


def _tensors(graph: Any) -> Iterator[Any]:
    """The constants of a graph of ONNX and of those in its nodes."""
    import onnx

    yield from (each for each in graph.initializer if each.data_type == onnx.TensorProto.FLOAT)
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        if attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type == onnx.TensorProto.FLOAT:
            yield attribute.t
        for inner in (attribute.g, *attribute.graphs):
            yield from _tensors(inner)


def _read_onnx(content: bytes) -> Sequence[Array]:
    import onnx

    model = onnx.load_from_string(content)
    return [onnx.numpy_helper.to_array(tensor).ravel() for tensor in _tensors(model.graph)]


def _written_onnx(content: bytes, constants: Sequence[Array]) -> bytes:
    import onnx

    model = onnx.load_from_string(content)
    for tensor, constant in zip(_tensors(model.graph), constants, strict=True):
        tensor.ClearField("float_data")
        tensor.raw_data = constant.tobytes()
    written: bytes = model.SerializeToString()
    return written


def _buffers(content: bytearray) -> Iterator[Array]:
    """Views of what a flatbuffer of LiteRT keeps for its tensors, each once."""
    from ai_edge_litert import schema_py_generated as schema

    model, seen = schema.Model.GetRootAs(content), set[int]()
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            buffer = model.Buffers(tensor.Buffer())
            if tensor.Type() == schema.TensorType.FLOAT32 and buffer.DataLength() and tensor.Buffer() not in seen:
                seen.add(tensor.Buffer())
                yield buffer.DataAsNumpy().view("<f4")


def _read_litert(content: bytes) -> Sequence[Array]:
    return list(_buffers(bytearray(content)))


def _written_litert(content: bytes, constants: Sequence[Array]) -> bytes:
    written = bytearray(content)
    for view, constant in zip(_buffers(written), constants, strict=True):
        view[:] = constant
    return bytes(written)


Pair = tuple[bytes, bytes]
"""What OpenVINO writes: XML, and a file of numbers that it points into."""


def _pieces(content: Pair) -> Iterator[slice]:
    """Where in the numbers each constant of float32 lies."""
    for data in ElementTree.fromstring(content[0]).iterfind(".//layer[@type='Const']/data[@element_type='f32']"):
        start = int(data.attrib["offset"])
        yield slice(start, start + int(data.attrib["size"]))


def _read_openvino(content: Pair) -> Sequence[Array]:
    return [np.frombuffer(content[1][piece], "<f4") for piece in _pieces(content)]


def _written_openvino(content: Pair, constants: Sequence[Array]) -> Pair:
    numbers = bytearray(content[1])
    for piece, constant in zip(_pieces(content), constants, strict=True):
        numbers[piece] = constant.tobytes()
    return content[0], bytes(numbers)


ONNX = Layout(_read_onnx, _written_onnx)
LITERT = Layout(_read_litert, _written_litert)
OPENVINO = Layout(_read_openvino, _written_openvino)
