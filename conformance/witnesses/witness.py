"""A witness: one failing example as a file, with all that is needed to run it again, on any machine and any adapter.

It is JSON that a person can read. The arrays of the case are in it, so that it gives the same bits even if numbers are
drawn in another way one day. An example without a case (`Check.example`) is told by its number, seed and profile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.description import DTYPES
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.identity import suite_digest
from rnn_conformance.conformance.witnesses.encoding import (
    array_as_data,
    arrays_as_data,
    as_text,
    case_as_data,
    case_from_data,
    with_arrays,
)
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.records.harmless import safe
from rnn_conformance.reports.records.records import name_of

SCHEMA = 2
"""1 told a layer's activation beside its cell, which was a word."""

_READ_BY_A_PERSON = 4096
"""More numbers of what was seen are not kept: who wants them runs the witness again."""

_ONCE = {"digest": "", "computed_in": "", "cell": "simple_rnn"}
"""What is meant by a witness that is older than these fields."""


class DamagedWitness(ValueError):
    """A file that is no witness; the message names it and says what there should be."""


@dataclass(frozen=True)
class Witness:
    """One example of one check.

    `check` is the check's file and function, such as ``test_values.py::test_recurrence``; `search` counts its searches
    from 0; `seed`, `profile` and `cell` are those of the run. `expected` and `actual` are what was seen, where that is
    known: an array as data, of a large one its shape, or text. `computed_in` is the dtype by whose arithmetic it was
    judged, if that is not its own. `suite`, `digest` and `specification` say what it was found with.
    """

    adapter: str
    versions: Mapping[str, str]
    check: str
    title: str
    dtype: str
    mode: str
    clauses: Sequence[str]
    profile: str
    seed: int
    search: int
    verdict: str
    message: str
    case: Case | None
    expected: Any = None
    actual: Any = None
    computed_in: str = ""
    cell: str = "simple_rnn"
    suite: str = field(default_factory=lambda: version("rnn-conformance"))
    digest: str = field(default_factory=suite_digest)
    specification: str = field(default_factory=lambda: specification().version)

    @property
    def name(self) -> str:
        """A file name without its ending: adapter (with a cell other than the simple RNN), function, dtype and mode."""
        function = self.check.split("::")[-1]
        return "--".join(map(safe, (name_of(self.adapter, self.cell), function, f"{self.dtype}-{self.mode}")))


def witness_of(
    item: Item,
    *,
    adapter: str,
    versions: Mapping[str, str],
    profile: str,
    seed: int,
    search: int,
    verdict: str,
    message: str,
    case: Case | None,
    details: Mapping[str, Any],
    computed_in: str = "",
    cell: str = "simple_rnn",
) -> Witness:
    """The witness of a check that failed on this case; `details` are those of its NonConforming."""
    seen = {name: _as_data(details[name]) for name in ("expected", "actual") if name in details}
    return Witness(
        check=item.check.split("[")[0],
        title=item.title,
        clauses=list(item.clauses),
        dtype=item.dtype,
        mode=item.mode,
        adapter=adapter,
        versions=versions,
        profile=profile,
        seed=seed,
        search=search,
        verdict=verdict,
        message=message,
        case=case,
        computed_in=computed_in,
        cell=cell,
        **seen,
    )


def write_witness(witness: Witness, folder: Path, number: int = 0) -> Path:
    """Write it into this folder, which is made where it is missing, and return its path.

    The `number` tells further witnesses of one check from its first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{witness.name}{f'--{number + 1}' if number else ''}.json"
    plain = {f.name: getattr(witness, f.name) for f in fields(Witness) if f.name != "case"}
    case = witness.case and {**case_as_data(witness.case), "arrays": arrays_as_data(witness.case)}
    text = as_text({"witness": SCHEMA, **plain, "case": case})
    path.write_text(text, encoding="utf-8", errors="replace")
    return path


def read_witness(path: Path) -> Witness:
    """Read a witness. Raises DamagedWitness, naming the file, for one that is none; OSError where there is no file."""
    try:
        return parse_witness(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise DamagedWitness(f"{path} is no witness: {error}") from None


def parse_witness(text: str) -> Witness:
    """A witness from its text. Raises ValueError, saying what there should be."""
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("its lists are nested too deeply") from None
    names = [f.name for f in fields(Witness)]
    if isinstance(data, dict) and data.get("witness") == 1:
        raise ValueError("it is of format 1, which an older version of this suite wrote: run its check again")
    if not isinstance(data, dict) or data.get("witness") != SCHEMA:
        raise ValueError(f"it should be a JSON object whose field 'witness' is {SCHEMA}")
    data = {**_ONCE, **data}
    if wrong := sorted(set(data) ^ {"witness", *names}):
        raise ValueError(f"fields too many or too few: {', '.join(wrong)}; there should be {', '.join(names)}")
    for name, kind in (("search", int), ("seed", int), ("check", str), ("adapter", str), ("dtype", str), ("mode", str)):
        if type(data[name]) is not kind:
            raise ValueError(f"{name} should be of type {kind.__name__}, but is {data[name]!r}")
    if data["computed_in"] not in ("", *DTYPES):
        raise ValueError(f"computed_in is {data['computed_in']!r}, but should be one of {', '.join(DTYPES)}, or empty")
    if data["cell"] not in CELLS:
        raise ValueError(f"cell is {data['cell']!r}, but should be one of {', '.join(CELLS)}")
    if data["profile"] not in PROFILES:
        raise ValueError(f"profile is {data['profile']!r}, but should be one of {', '.join(PROFILES)}")
    case = data["case"]
    if case is not None:
        if not isinstance(case, dict) or "arrays" not in case:
            raise ValueError("case should be null, or have the field arrays beside those that tell it")
        told = case_from_data({name: value for name, value in case.items() if name != "arrays"})
        case = with_arrays(told, case["arrays"])
    return Witness(**{**{name: data[name] for name in names}, "case": case})


def _as_data(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return str(value)
    return array_as_data(value) if value.size <= _READ_BY_A_PERSON else f"{value.size} numbers, shape {value.shape}"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is a string in a witness")
