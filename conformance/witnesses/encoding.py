"""Cases and arrays as plain data for JSON, and back, to the last bit."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.description import DTYPES
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.drawing import Drawn, draw
from rnn_conformance.conformance.cases.regimes import NAMES
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.model.architecture import DIRECTIONS, MASKINGS, MERGES, Architecture, Embedding, Layer

AnyArray = NDArray[Any]

_WIDTH = 120

_PLAIN: Mapping[str, tuple[type, ...]] = {"int": (int,), "str": (str,), "bool": (bool,), "float": (float, int)}
_WORDS: Mapping[str, Collection[str]] = {
    "dtype": DTYPES,
    "activation": ACTIVATIONS,
    "direction": DIRECTIONS,
    "merge": MERGES,
    "masking": MASKINGS,
    "regime": NAMES,
}
"""Fields of a case that can be one of a few words only."""


def case_as_data(case: Case) -> dict[str, Any]:
    """What tells the case, without its arrays."""
    data = asdict(replace(case, held=None))
    del data["held"]
    for layer, told in zip(case.architecture.layers, data["architecture"]["layers"], strict=True):
        told["cell"] = {"name": layer.cell.name, **told["cell"]}
    return data


def case_from_data(data: Any) -> Case:
    """The case told by `case_as_data`; its arrays are drawn. Raises ValueError, saying what there should be."""
    given = _fields("case", Case, data)
    architecture = _fields("case.architecture", Architecture, given["architecture"])
    layers = architecture["layers"]
    if not isinstance(layers, (list, tuple)):
        raise ValueError("case.architecture.layers should be a list")
    table = architecture.get("embedding")
    architecture["layers"] = tuple(_layer(f"case.architecture.layers[{k}]", layer) for k, layer in enumerate(layers))
    architecture["embedding"] = table and Embedding(**_fields("case.architecture.embedding", Embedding, table))
    for name in ("batch", "timesteps"):
        if type(given[name]) is not int or given[name] < 1:
            raise ValueError(f"case.{name} should be a number of at least 1, but is {given[name]!r}")
    return Case(**{**given, "architecture": Architecture(**architecture)})


def _layer(where: str, data: Any) -> Layer:
    given = _fields(where, Layer, data)
    told = given.get("cell")
    if not isinstance(told, Mapping) or told.get("name") not in CELLS:
        raise ValueError(f"{where}.cell should have a name, which is one of {', '.join(CELLS)}")
    cell = CELLS[told["name"]]
    choices = _fields(f"{where}.cell", cell, {name: value for name, value in told.items() if name != "name"})
    return Layer(**{**given, "cell": cell(**choices)})


def arrays_as_data(case: Case) -> dict[str, Any]:
    """Every array of the case by name."""
    drawn = Drawn(case.weights, case.inputs, case.initial_state, case.mask, case.cotangent)
    return {name: array_as_data(array) for name, array in drawn.arrays()}


def with_arrays(case: Case, data: Any) -> Case:
    """The case with these arrays instead of the ones that are drawn.

    Raises ValueError, naming the array and what there should be, for one too many or too few, or of a wrong shape.
    """
    if not isinstance(data, Mapping):
        raise ValueError("arrays should be given by name")
    like = draw(case.architecture, case.batch, case.timesteps, case.regime, case.seed, case.pattern)
    if not case.architecture.return_state:
        like = replace(like, cotangent=replace(like.cotangent, final_state=None))
    wanted = dict(like.arrays())
    if wrong := sorted(set(data) ^ set(wanted)):
        raise ValueError(f"arrays too many or too few: {', '.join(wrong)}; there should be {', '.join(wanted)}")
    found: dict[str, AnyArray] = {}
    for name, array in wanted.items():
        found[name] = array_from_data(name, data[name])
        if (found[name].shape, found[name].dtype) != (array.shape, array.dtype):
            raise ValueError(
                f"{name} is {found[name].dtype} of shape {found[name].shape}, "
                f"but should be {array.dtype} of shape {array.shape}"
            )
    return case.with_arrays(Drawn.of(found))


@ignoring_flags
def array_as_data(array: AnyArray) -> dict[str, Any]:
    """dtype, shape and values: each number as the shortest text that gives the same number of that dtype again."""
    values = array.ravel()
    plain: list[Any] = values.tolist()
    if values.dtype.kind not in "biu":
        exact = values.astype(np.float64).tolist()
        short = [float(str(value)) for value in values]
        again = np.asarray(short, np.float64).astype(values.dtype)
        same = (again == values) & (np.signbit(again) == np.signbit(values))
        plain = [_number(s if ok else e) for s, e, ok in zip(short, exact, same.tolist(), strict=True)]
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values": _nested(plain, array.shape)}


@ignoring_flags
def array_from_data(name: str, data: Any) -> AnyArray:
    """The array. Raises ValueError, naming it, where values, shape and dtype do not fit."""
    if not isinstance(data, Mapping) or set(data) != {"dtype", "shape", "values"}:
        raise ValueError(f"{name} should have dtype, shape and values, and nothing else")
    try:
        dtype, shape = dtype_of(data["dtype"]), tuple(data["shape"])
        flat = _flat(data["values"], len(shape))
        numbers = np.array([float(value) for value in flat]) if dtype.kind not in "biu" else np.array(flat, dtype)
        array = numbers.astype(dtype).reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from None
    if _nested(flat, shape) != data["values"]:
        raise ValueError(f"the values of {name} are not nested as its shape {shape} says")
    return array


def as_text(data: Mapping[str, Any]) -> str:
    """JSON that a person can read: a field a line, and a line for each row of an array."""
    return _text(data, "") + "\n"


def _text(value: Any, indent: str) -> str:
    inner = indent + "  "
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, Mapping) and (len(indent + line) > _WIDTH or "{" in line[1:]):
        pairs = [f"{inner}{json.dumps(key)}: {_text(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(pairs) + f"\n{indent}}}"
    if isinstance(value, (list, tuple)) and any(isinstance(item, (list, tuple, Mapping)) for item in value):
        return "[\n" + ",\n".join(inner + _text(item, inner) for item in value) + f"\n{indent}]"
    return line


def _fields(where: str, wanted: type[Any], data: Any) -> dict[str, Any]:
    """The fields of a dataclass, of the types that JSON gave them. Raises ValueError for fields too many or too few."""
    names = [f.name for f in fields(wanted) if f.compare]  # arrays that are held are told apart from the rest
    needed = {f.name for f in fields(wanted) if f.default is f.default_factory is MISSING}
    if not isinstance(data, Mapping):
        raise ValueError(f"{where} should have the fields {', '.join(names)}")
    if wrong := sorted((set(data) - set(names)) | (needed - set(data))):
        raise ValueError(f"{where} has fields too many or too few: {', '.join(wrong)}; there are {', '.join(names)}")
    for f in fields(wanted):
        kinds = _PLAIN.get(str(f.type), ())
        if kinds and f.name in data and type(data[f.name]) not in kinds:
            raise ValueError(f"{where}.{f.name} should be of type {f.type}, but is {data[f.name]!r}")
        if f.name in _WORDS and f.name in data and data[f.name] not in _WORDS[f.name]:
            offered = ", ".join(_WORDS[f.name])
            raise ValueError(f"{where}.{f.name} is {data[f.name]!r}, but should be one of {offered}")
    return dict(data)


def _number(value: float) -> float | str:
    """As it is, or as text that float() reads where JSON has no such number."""
    return value if math.isfinite(value) else str(value)


def _nested(values: list[Any], shape: tuple[int, ...]) -> Any:
    """Nested lists of that shape."""
    if not shape:
        return values[0]
    step = math.prod(shape[1:])
    return [_nested(values[k * step : (k + 1) * step], shape[1:]) for k in range(shape[0])]


def _flat(values: Any, depth: int) -> list[Any]:
    if depth == 0:
        return [values]
    if not isinstance(values, list):
        raise ValueError(f"a list was expected, not {values!r}")
    return [item for value in values for item in _flat(value, depth - 1)]
