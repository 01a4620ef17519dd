"""What frames say in JSON, in the words of this suite: a program's description, and the architecture of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from rnn_conformance.adapters.description import DTYPES, Description
from rnn_conformance.reference.arithmetic.rounding import Precision, standard_precision, wider_sums
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.model.architecture import Architecture, Choices

T = TypeVar("T")


def architecture_as_data(architecture: Architecture) -> dict[str, Any]:
    """All fields by their names; the cell of each layer by its name and its choices."""
    data = asdict(architecture)
    for layer, told in zip(architecture.layers, data["layers"], strict=True):
        told["cell"] = {"name": layer.cell.name, **told["cell"]}
    return data


def description_of(data: Any) -> Description:
    """The description that an answer to `describe` has. Raises ValueError, naming the field and what it should be."""
    given = _mapping("the description", data)
    wrong = sorted(set(given) - set(_READ))
    if wrong:
        raise ValueError(f"the description has {', '.join(wrong)}, but its fields are {', '.join(_READ)}")
    for needed in ("framework", "versions"):
        if needed not in given:
            raise ValueError(f"the description has no {needed}")
    return Description(**{name: _READ[name](name, value) for name, value in given.items()})


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} should be a text, but is {value!r}")
    return value


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{name} should be a list of texts, but is {value!r}")
    return tuple(_text(f"{name}[{k}]", each) for k, each in enumerate(value))


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} should be an object, but is {value!r}")
    return value


def _texts_by_name(name: str, value: Any) -> dict[str, str]:
    return {key: _text(f"{name}.{key}", each) for key, each in _mapping(name, value).items()}


def _precision(name: str, value: Any) -> dict[str, Precision]:
    return {dtype: _arithmetic(f"{name}.{dtype}", dtype, told) for dtype, told in _mapping(name, value).items()}


def _arithmetic(name: str, dtype: str, told: Any) -> Precision:
    """The standard arithmetic of a dtype, but for the ulps of activations and sums of float32 that are told."""
    given = _mapping(name, told)
    if dtype not in DTYPES:
        raise ValueError(f"{name}: the dtypes are {', '.join(DTYPES)}")
    if wrong := sorted(set(given) - {"ulps", "wider_sums"}):
        raise ValueError(f"{name} has {', '.join(wrong)}, but its fields are ulps and wider_sums")
    ulps = _mapping(f"{name}.ulps", given.get("ulps", {}))
    for activation, count in ulps.items():
        if type(count) not in (int, float):
            raise ValueError(f"{name}.ulps.{activation} should be a number, but is {count!r}")
    make = wider_sums if given.get("wider_sums") is True else standard_precision
    return make(dtype, **ulps)


def _variants(name: str, value: Any) -> tuple[Cell, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{name} should be a list of cells, but is {value!r}")
    return tuple(_cell(f"{name}[{k}]", each) for k, each in enumerate(value))


def _cell(name: str, value: Any) -> Cell:
    told = dict(_mapping(name, value))
    kind = told.pop("name", None)
    if kind not in CELLS:
        raise ValueError(f"{name}.name is {kind!r}, but the cells are {', '.join(CELLS)}")
    choices = [f.name for f in fields(CELLS[kind])]
    if wrong := sorted(set(told) - set(choices)):
        raise ValueError(f"{name} has {', '.join(wrong)}, but the choices of {kind} are {', '.join(choices)}")
    return CELLS[kind](**told)


def _choices(name: str, value: Any) -> Choices:
    told, offered = _texts_by_name(name, value), [f.name for f in fields(Choices)]
    if wrong := sorted(set(told) - set(offered)):
        raise ValueError(f"{name} has {', '.join(wrong)}, but the choices are {', '.join(offered)}")
    return Choices(**told)


_READ: Mapping[str, Callable[[str, Any], Any]] = {
    "framework": _text,
    "versions": _texts_by_name,
    "modes": _texts,
    "ways": _texts,
    "rounding": _texts,
    "device": _text,
    "precision": _precision,
    "cells": _texts,
    "activations": _texts,
    "variants": _variants,
    "offers": _texts,
    "unsupported": _texts_by_name,
    "choices": _choices,
    "conventions": _texts_by_name,
    "notes": _texts_by_name,
}
"""The fields of a description, and how each is read: those of `Description`, but for scripts in Python."""
