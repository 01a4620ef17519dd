"""The set as files: a JSON for each case, all arrays in one file of safetensors, and an index that says what it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.conformance.vectors.expected import expected_of
from rnn_conformance.conformance.vectors.selection import VERSION, Vector, vectors
from rnn_conformance.conformance.witnesses.encoding import array_as_data, as_text, case_as_data
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.model.architecture import Choices
from rnn_conformance.reference.model.states import state_arrays
from rnn_conformance.reference.spec import specification

Arrays = Mapping[str, np.ndarray]

CHOICES = Choices(padded_outputs="zero", backward_outputs="aligned")
"""What stands at padded timesteps, and the order of outputs run backwards, in every case of the set."""

SCHEMA = files("rnn_conformance.conformance.vectors").joinpath("schema.json")


def write_vectors(folder: Path, dtype: str) -> int:
    """Write the set into a folder that is new or empty; returns how many cases it has.

    Raises FileExistsError where something is in the folder: a set that others compare with is never written over.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: name a new folder, or empty it first")
    names, everything = [], dict[str, np.ndarray]()
    for vector in vectors(dtype):
        arrays = {part: dict(found) for part, found in _arrays(vector, dtype)}
        (folder / f"{vector.name}.json").write_text(as_text(_as_data(vector, arrays)), encoding="utf-8")
        names.append(vector.name)
        for part, found in arrays.items():
            contiguous = {name: np.ascontiguousarray(array) for name, array in found.items()}
            everything |= {f"{vector.name}/{part}/{name}": array for name, array in contiguous.items()}
    save_file(everything, folder / "vectors.safetensors")
    index = {
        "set": VERSION,
        "specification": specification().version,
        "dtype": dtype,
        "precision": asdict(standard_precision(dtype)),
        "choices": asdict(CHOICES),
        "cases": names,
        "digest": _digest(everything),
    }
    (folder / "index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    (folder / "schema.json").write_text(SCHEMA.read_text(encoding="utf-8"), encoding="utf-8")
    return len(names)


def _arrays(vector: Vector, dtype: str) -> Iterator[tuple[str, Arrays]]:
    """What a model holds, what a call is given, what should come out, and how far from that it may lie."""
    case = vector.case
    state = case.initial_state if vector.started else None
    given = {"inputs": case.inputs, **case.given, **dict(state_arrays("initial_state", state))}
    expected = dict(expected_of(case, standard_precision(dtype), CHOICES, started=vector.started))
    yield "weights", dict(case.weights.arrays())
    yield "given", given
    yield "expected", {name: each.value for name, each in expected.items()}
    yield "bound", {name: each.bound for name, each in expected.items()}


def _as_data(vector: Vector, arrays: Mapping[str, Arrays]) -> dict[str, Any]:
    told = case_as_data(vector.case)["architecture"]
    kept = ("layers", "embedding", "dtype", "return_sequences", "masking")
    model = {name: told[name] for name in kept}
    parts = {part: {name: array_as_data(array) for name, array in found.items()} for part, found in arrays.items()}
    return {"set": VERSION, "name": vector.name, "model": model, **parts}


def _digest(arrays: Arrays) -> str:
    """The same for two sets whose every number is the same, to the bit."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
