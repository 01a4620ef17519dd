"""What goes through the pipe to a program: the same numbers come out, and bytes that are no frame are shown."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.pipe.frames import DTYPES, MARK, SCHEMA, NoFrame, length, packed, unpacked
from rnn_conformance.adapters.pipe.words import architecture_as_data, description_of
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reference.arithmetic.rounding import dtype_of, standard_precision, wider_sums
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.model.architecture import Architecture, Choices, Embedding, Layer


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_there_and_back(dtype: str) -> None:
    """Of every dtype, also empty, without axes, in the other byte order, and not contiguous."""
    array = np.arange(6).reshape(2, 3).astype(dtype_of(dtype))
    given = {
        "a": array,
        "b": array[:0],
        "c": array[1, 2],
        "d": array.T,
        "e": array.astype(array.dtype.newbyteorder(">")),
    }
    data = packed({"request": "run"}, ((name, np.asarray(each)) for name, each in given.items()))
    assert length(data) == len(data)
    frame = unpacked(data)
    assert frame.header == {"request": "run"}
    for name, each in given.items():
        found = frame.arrays[name]
        assert (found.dtype, found.shape) == (dtype_of(dtype), each.shape)
        np.testing.assert_array_equal(found, each)


def test_every_bit_of_a_nan() -> None:
    """Bytes are sent, and no numbers."""
    array = np.array([0x7FC12345, 0x80000000, 1], np.uint32).view(np.float32)
    assert unpacked(packed({}, [("x", array)])).arrays["x"].tobytes() == array.tobytes()


def test_length_is_known_bit_by_bit() -> None:
    """A frame may come in pieces of any size."""
    data = packed({"answer": "run"}, [("outputs", np.ones((2, 3), np.float32))])
    assert [length(data[:n]) <= len(data) for n in range(len(data))] == [True] * len(data)
    assert all(length(data[:n]) > n for n in range(len(data)))


def _frame(header: Any) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return MARK + len(text).to_bytes(4, "little") + text


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"=====\nHi, looks like", "where a frame should begin there is b'=====\\\\nHi, looks like'"),
        (b"R!", "where a frame should begin"),
        (MARK + b"\xff\xff\xff\xff", "a header of 4,294,967,295 bytes, but there may be 16,777,216"),
        (_frame(b"{1}"), "a header that is no JSON"),
        (_frame(b"[" * 100_000), "a header that is no JSON"),
        (_frame([1]), "a header that is no JSON object"),
        (_frame({"arrays": [{"name": "x", "dtype": "float128", "shape": []}]}), "an array is told by name, dtype"),
        (_frame({"arrays": [{"name": "x", "dtype": "bool", "shape": [-1]}]}), "an array is told by name, dtype"),
        (_frame({"arrays": {"x": 1}}), "an array is told by name, dtype"),
    ],
)
def test_no_frame(data: bytes, told: str) -> None:
    with pytest.raises(NoFrame, match=told):
        length(data)


def test_array_that_no_frame_holds() -> None:
    """It is named."""
    with pytest.raises(ValueError, match="inputs is complex128, but a frame holds bool, int8"):
        packed({}, [("inputs", np.ones(2, complex))])


DESCRIBED = {
    "framework": "My layers",
    "versions": {"mine": "1.0"},
    "modes": ["plain"],
    "precision": {"float16": {"wider_sums": True}, "float32": {"ulps": {"tanh": 7}}},
    "cells": ["gru"],
    "variants": [{"name": "gru", "reset": "before", "recurrent_bias": "none"}],
    "offers": ["mask"],
    "unsupported": {"stack": "one layer"},
    "choices": {"padded_outputs": "repeat"},
}


def test_description() -> None:
    """A program says what an adapter in Python says, in the same words."""
    _valid({"answer": "describe", "protocol": 1, "description": DESCRIBED})
    assert description_of(DESCRIBED) == Description(
        "My layers",
        {"mine": "1.0"},
        modes=("plain",),
        precision={"float16": wider_sums("float16"), "float32": standard_precision("float32", tanh=7)},
        cells=("gru",),
        variants=(Gru(reset="before", recurrent_bias="none"),),
        offers=("mask",),
        unsupported={"stack": "one layer"},
        choices=Choices(padded_outputs="repeat"),
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cell": ["gru"]}, "the description has cell, but its fields are framework, versions, modes"),
        ({"cells": "gru"}, "cells should be a list of texts, but is 'gru'"),
        ({"precision": {"float32": {"ulp": 5}}}, "precision.float32 has ulp, but its fields are ulps and wider_sums"),
        ({"precision": {"double": {}}}, "precision.double: the dtypes are float16"),
        (
            {"variants": [{"name": "gru", "reset_after": True}]},
            r"variants\[0\] has reset_after, but the choices of gru",
        ),
        ({"variants": [{"name": "grue"}]}, r"variants\[0\].name is 'grue', but the cells are simple_rnn, lstm, gru"),
        ({"choices": {"padding": "zero"}}, "choices has padding, but the choices are padded_outputs"),
        ({"choices": {"padded_outputs": "none"}}, "padded_outputs is 'none', but should be one of zero"),
        ({"offers": ["masks"]}, "offers names .'masks'., but only these can be offered"),
        ({"versions": {"mine": 1}}, "versions.mine should be a text, but is 1"),
    ],
)
def test_wrong_description(change: dict[str, Any], told: str) -> None:
    """It is said what is wrong, and what would be right."""
    with pytest.raises(ValueError, match=told):
        description_of({**DESCRIBED, **change})


def test_architecture_is_as_the_schema_says() -> None:
    """With a table, two directions and a cell whose choices are told."""
    architecture = Architecture((Layer(2, 3, Gru(), direction="bidirectional"),), Embedding(5, 2), masking="mask")
    data = architecture_as_data(architecture)
    assert data["layers"][0]["cell"]["name"] == "gru"
    assert data["layers"][0]["cell"]["reset"] == "after"
    _valid({"request": "prepare", "network": 1, "architecture": data, "released": []})


@pytest.mark.parametrize(
    "header",
    [
        {"request": "describe"},
        {"request": "forget"},
        {"request": "run", "network": 1},
        {"answer": "describe"},
        {"answer": "run", "error": {"type": "Error"}},
        {"answer": "run", "output": []},
        {"request": "stop", "answer": "stop"},
    ],
)
def test_schema_refuses(header: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        _valid(header)


def _valid(header: Any) -> None:
    schema = json.loads(CliRunner().invoke(cli, ["schema", "process"]).output)
    assert schema == json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(header)))
