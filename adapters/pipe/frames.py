"""Frames: a header in JSON, and behind it the bytes of the arrays that it names (docs/process.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np

from rnn_conformance.reference.arithmetic.rounding import dtype_of

PROTOCOL = 1
"""The version of the protocol, which the first frame of either side names."""

SCHEMA = files("rnn_conformance.adapters.pipe").joinpath("schema.json")
"""The JSON Schema of headers."""

MARK = b"RNNC"
"""What every frame begins with."""

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("bfloat16", "float16", "float32", "float64"),
)
"""The dtypes that arrays of a frame can have."""

_BEFORE_HEADER = len(MARK) + 4
_LARGEST_HEADER = 2**24
_SHOWN = 200

Arrays = Mapping[str, np.ndarray]


class NoFrame(Exception):
    """Bytes that are no frame; the message shows them, or says what is wrong with its header."""


@dataclass(frozen=True, eq=False)
class Frame:
    """What one frame says: its header, but for the list of arrays, and the arrays by name."""

    header: Mapping[str, Any]
    arrays: Arrays = field(default_factory=dict)


def packed(header: Mapping[str, Any], arrays: Iterable[tuple[str, np.ndarray]] = ()) -> bytes:
    """The bytes of a frame. Raises ValueError, naming it, for an array of another dtype than DTYPES."""
    told, parts = [], []
    for name, array in arrays:
        dtype = array.dtype.newbyteorder("<").name
        if dtype not in DTYPES:
            raise ValueError(f"{name} is {dtype}, but a frame holds {', '.join(DTYPES)}")
        told.append({"name": name, "dtype": dtype, "shape": list(array.shape)})
        parts.append(array.astype(dtype_of(dtype).newbyteorder("<"), copy=False).tobytes())
    text = json.dumps({**header, "arrays": told} if told else dict(header)).encode()
    return b"".join([MARK, len(text).to_bytes(4, "little"), text, *parts])


def length(data: bytes) -> int:
    """How many bytes a frame that begins so has, as far as these tell. Raises NoFrame where none begins so."""
    if not MARK.startswith(data[: len(MARK)]):
        raise NoFrame(f"where a frame should begin there is {data[:_SHOWN]!r}")
    if len(data) < _BEFORE_HEADER:
        return _BEFORE_HEADER
    header = int.from_bytes(data[len(MARK) : _BEFORE_HEADER], "little")
    if header > _LARGEST_HEADER:
        raise NoFrame(f"a header of {header:,} bytes, but there may be {_LARGEST_HEADER:,}: {data[:_SHOWN]!r}")
    end = _BEFORE_HEADER + header
    if len(data) < end:
        return end
    return end + sum(dtype.itemsize * math.prod(shape) for _, dtype, shape in _told(_header(data[:end])))


def unpacked(data: bytes) -> Frame:
    """The frame of these bytes, of which there are as many as `length` says. Raises NoFrame."""
    at = _BEFORE_HEADER + int.from_bytes(data[len(MARK) : _BEFORE_HEADER], "little")
    header = _header(data[:at])
    arrays = {}
    for name, dtype, shape in _told(header):
        count = math.prod(shape)
        array = np.frombuffer(data, dtype.newbyteorder("<"), count, at).reshape(shape)
        arrays[name] = array.astype(dtype)  # a copy, which may be written to
        at += count * dtype.itemsize
    return Frame({name: value for name, value in header.items() if name != "arrays"}, arrays)


def _header(data: bytes) -> Mapping[str, Any]:
    try:
        header = json.loads(data[_BEFORE_HEADER:])
    except (ValueError, RecursionError) as error:
        raise NoFrame(f"a header that is no JSON ({error}): {data[_BEFORE_HEADER:][:_SHOWN]!r}") from None
    if not isinstance(header, dict):
        raise NoFrame(f"a header that is no JSON object: {data[_BEFORE_HEADER:][:_SHOWN]!r}")
    return header


def _told(header: Mapping[str, Any]) -> Iterator[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    """Name, dtype and shape of each array that a header names."""
    listed = header.get("arrays", [])
    for each in listed if isinstance(listed, list) else [listed]:
        given = each if isinstance(each, dict) else {}
        name, dtype, shape = given.get("name"), given.get("dtype"), given.get("shape")
        sizes: list[Any] = shape if isinstance(shape, list) else [None]
        if not isinstance(name, str) or dtype not in DTYPES or any(type(n) is not int or n < 0 for n in sizes):
            raise NoFrame(f"an array is told by name, dtype ({', '.join(DTYPES)}) and shape, and not by {each!r}")
        yield name, dtype_of(dtype), tuple(sizes)
