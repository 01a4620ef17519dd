"""Known deviations: departures from the specification that are understood, written down in deviations.toml."""

from __future__ import annotations

import platform
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from fnmatch import fnmatchcase
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import archspec.cpu
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from rnn_conformance.adapters.description import DTYPES
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.patterns import PATTERNS, SELDOM
from rnn_conformance.conformance.witnesses.witness import Witness, parse_witness
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS, GATE_ACTIVATIONS
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.model.architecture import DIRECTIONS, MASKINGS, MERGES
from rnn_conformance.reference.model.weights import direction_shapes
from rnn_conformance.reports.records.records import Cause

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Facts = Mapping[str, Collection[Any]]
"""What there is to know of an example: for each of WORDS that applies to it, the values that it has."""

WORDS: Mapping[str, Collection[Any] | type] = {
    "dtype": DTYPES,
    "weights_dtype": DTYPES,
    "mode": str,
    "cell": tuple(CELLS),
    "activation": tuple(ACTIVATIONS),
    "reset": Gru.choices["reset"],
    "recurrent_activation": tuple(GATE_ACTIVATIONS),
    "direction": DIRECTIONS,
    "merge": MERGES,
    "masking": MASKINGS,
    "pattern": ("", *PATTERNS, *SELDOM),
    "use_bias": bool,
    "mask_zero": bool,
    "embedding": bool,
    "dropout": bool,
    "recurrent_dropout": bool,
    "return_sequences": bool,
    "return_state": bool,
    "batched": bool,
    "stateful": bool,
    "initial_state": bool,
    "gradient": bool,
    "wrong": str,
    "layers": int,
    "units": int,
    "square": bool,
    "batch": int,
    "timesteps": int,
}
"""The words of `cases`: what each can be, one of these or of this type."""

EXCEPT = "!"
"""What a pattern of `checks` begins with that leaves out what it names."""


@dataclass(frozen=True)
class Deviation:
    """One entry of deviations.toml, whose first lines say what each field means."""

    name: str
    adapters: Sequence[str]
    checks: Sequence[str]
    versions: Mapping[str, str]
    reason: str
    cause: str
    means: str
    cases: Mapping[str, Any]
    precision: str = ""
    absent: Mapping[str, str] = field(default_factory=dict)
    platforms: Sequence[str] = ()
    without: Sequence[str] = ()
    upstream: str = ""
    frozen: Witness | None = field(default=None, compare=False)

    @property
    def explanation(self) -> str:
        """Why, and where it was reported."""
        return " ".join(filter(None, (self.reason, self.upstream)))

    @property
    def in_short(self) -> Cause:
        """Why, in short, as a record has it."""
        return Cause(self.name, self.cause, self.means, self.upstream, dict(self.versions))

    @property
    def judged_at(self) -> str:
        """By what its cases are judged in place of their own precision; empty if they are left out."""
        return f"{self.precision}'s roundoff" if self.precision else ""

    @property
    def extent(self) -> str:
        """The cases that it is about, in words."""
        told = {word: [str(value) or "none" for value in _listed(wanted)] for word, wanted in self.cases.items()}
        return ", ".join(f"{word} {' or '.join(values)}" for word, values in told.items())

    @cached_property
    def witness(self) -> Witness:
        """Its frozen witness: the one in ``known/NAME.json``, unless another is given."""
        return self.frozen or frozen_witness(self.name)

    def applies(self, adapter: str, function: str, versions: Mapping[str, str]) -> bool:
        """Whether it speaks of this check, on this adapter, with these versions of its packages, on this machine."""
        return self._is_about(adapter, function) and _among(versions, self.versions)

    def was_not_looked_at(self, adapter: str, function: str, versions: Mapping[str, str]) -> bool:
        """Whether it speaks of this check in other versions, and nobody looked for it in these."""
        looked = _among(versions, self.versions) or (bool(self.absent) and _among(versions, self.absent))
        return self._is_about(adapter, function) and not looked

    def speaks_of(self, function: str) -> bool:
        """Whether this is one of its checks: one that a pattern of them names, and none with a leading "!" does."""
        named = [pattern for pattern in self.checks if fnmatchcase(function, pattern.removeprefix(EXCEPT))]
        return bool(named) and not any(pattern.startswith(EXCEPT) for pattern in named)

    def _is_about(self, adapter: str, function: str) -> bool:
        return (
            self.speaks_of(function)
            and adapter in self.adapters
            and (not self.platforms or here() in self.platforms)
            and not set(self.without) & archspec.cpu.host().features
        )

    def covers(self, facts: Facts) -> bool:
        """Whether an example is among its cases: every word must hold, and holds if any of the values does."""
        return all(set(_listed(wanted)) & set(facts.get(word, ())) for word, wanted in self.cases.items())

    def may_cover(self, facts: Facts) -> bool:
        """Whether an example of which only these facts are known may be among its cases."""
        return all(set(_listed(wanted)) & set(facts[word]) for word, wanted in self.cases.items() if word in facts)


def facts_of(case: Case) -> Facts:
    """The facts of a case; those about layers hold the values of all layers."""
    architecture = case.architecture
    layers, table = architecture.layers, architecture.embedding
    return {
        "dtype": {architecture.dtype},
        "weights_dtype": {architecture.weights_dtype or architecture.dtype},
        "mode": {architecture.mode},
        **facts_of_cells([layer.cell for layer in layers]),
        "direction": {layer.direction for layer in layers},
        "merge": {layer.merge for layer in layers if layer.is_bidirectional},
        "masking": {architecture.masking, *(["mask"] if table and table.mask_zero else [])},
        "pattern": {case.pattern},
        "use_bias": {layer.use_bias for layer in layers},
        "mask_zero": {table is not None and table.mask_zero},
        "embedding": {table is not None},
        "dropout": {layer.dropout > 0 for layer in layers},
        "recurrent_dropout": {layer.recurrent_dropout > 0 for layer in layers},
        "return_sequences": {architecture.return_sequences},
        "return_state": {architecture.return_state},
        "batched": {architecture.batched},
        "stateful": {architecture.stateful},
        "layers": {len(layers)},
        "units": {layer.units for layer in layers},
        "square": {len(set(direction_shapes(layer)["W"])) == 1 for layer in layers},
        "batch": {case.batch},
        "timesteps": {case.timesteps},
    }


def facts_of_cells(cells: Sequence[Cell]) -> Facts:
    """The facts of the cells of a model."""
    return {
        "cell": {cell.name for cell in cells},
        "activation": {cell.activation for cell in cells},
        "recurrent_activation": {name for cell in cells for name in facts_of_gates(cell).values()},
        "reset": {cell.reset for cell in cells if isinstance(cell, Gru)},
    }


def facts_of_gates(cell: Cell) -> dict[str, str]:
    """The facts of a cell's gates, as a check gives them: none where it has none."""
    return {"recurrent_activation": cell.activations["gate"]} if "gate" in cell.activations else {}


def facts_given(given: Mapping[str, Any]) -> Facts:
    """The facts that a check says of an example. Raises ValueError for one that is none of WORDS."""
    _check_words(given)
    return {word: set(_listed(value)) for word, value in given.items()}


def here() -> str:
    """This machine, as `platforms` speaks of it, such as ``Linux-x86_64``."""
    return f"{platform.system()}-{platform.machine()}"


def known_deviations() -> list[Deviation]:
    """All entries of deviations.toml, which is read once, and so is each witness."""
    return list(_known())


@cache
def _known() -> Sequence[Deviation]:
    return parse(files("rnn_conformance.conformance.known").joinpath("deviations.toml").read_text(encoding="utf-8"))


def frozen_file(name: str) -> Path:
    """Where the witness of the deviation of that name lies."""
    return Path(str(files("rnn_conformance.conformance.known").joinpath(f"{name}.json")))


def frozen_witness(name: str) -> Witness:
    """The witness of the deviation of that name. Raises ValueError, naming the deviation, where there is none."""
    file = frozen_file(name)
    try:
        return parse_witness(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"deviation {name}: its witness should be in conformance/known/{name}.json") from None
    except ValueError as error:
        raise ValueError(f"deviation {name}: {name}.json is no witness: {error}") from None


def parse(text: str) -> list[Deviation]:
    """Read entries ``[NAME]``, and of each those of further cells, ``[NAME.CELL]``, which are named NAME-CELL.

    Raises ValueError, naming the entry, for a field too many, too few or unreadable.
    """
    entries = tomllib.loads(text).items()
    return [_entry(*twin) for name, table in entries for twin in _by_cell(name, table)]


def _by_cell(name: str, table: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """An entry and its twins of other cells, which have all that they do not say otherwise, but where it was seen."""
    yield name, {word: value for word, value in table.items() if word not in CELLS}
    alike = {word: value for word, value in table.items() if word not in ("versions", "absent", *CELLS)}
    for cell in CELLS:
        if cell in table:
            yield f"{name}-{cell}", {**alike, **table[cell]}


def _entry(name: str, table: dict[str, Any]) -> Deviation:
    known = {
        f.name: f.default is f.default_factory is MISSING for f in fields(Deviation) if f.name not in ("name", "frozen")
    }
    if wrong := sorted(set(table) - set(known)):
        raise ValueError(f"deviation {name}: there is no field {', '.join(wrong)}; the fields are {', '.join(known)}")
    if missing := [field for field, needed in known.items() if needed and not table.get(field)]:
        raise ValueError(f"deviation {name}: {', '.join(missing)} should be given")
    for package, specifier in [*table["versions"].items(), *table.get("absent", {}).items()]:
        try:
            SpecifierSet(specifier)
        except InvalidSpecifier:
            raise ValueError(f"deviation {name}: {specifier!r} is no version specifier for {package}") from None
    if (precision := table.get("precision", "")) not in ("", *DTYPES):
        raise ValueError(f"deviation {name}: precision should be among {', '.join(DTYPES)}, but is {precision!r}")
    if all(pattern.startswith(EXCEPT) for pattern in table["checks"]):
        raise ValueError(
            f"deviation {name}: checks should name what it is about before what is left out of that, "
            f'such as ["*", "{EXCEPT}test_parameter_count"], but are {table["checks"]!r}'
        )
    for where, values in {**table, **{f"cases.{word}": given for word, given in table["cases"].items()}}.items():
        if isinstance(values, list) and (twice := [value for k, value in enumerate(values) if value in values[:k]]):
            raise ValueError(f"deviation {name}: {where} should name each once, but has {twice[0]!r} twice")
    try:
        _check_words(table["cases"])
    except ValueError as error:
        raise ValueError(f"deviation {name}: {error}") from None
    return Deviation(name, **table)


def _check_words(cases: Mapping[str, Any]) -> None:
    """Raise ValueError for a word that is none of WORDS, and for a value that it cannot have."""
    if wrong := sorted(set(cases) - set(WORDS)):
        raise ValueError(f"there is no word {', '.join(wrong)} for cases; the words are {', '.join(WORDS)}")
    for word, given in cases.items():
        wanted = WORDS[word]
        values = list(_listed(given))
        if isinstance(wanted, type):
            if not values or any(type(value) is not wanted for value in values):
                raise ValueError(f"{word} should be of type {wanted.__name__}, but is {given!r}")
        elif not values or not set(values) <= set(wanted):
            raise ValueError(f"{word} should be among {', '.join(wanted)}, but is {given!r}")


def _among(versions: Mapping[str, str], specifiers: Mapping[str, str]) -> bool:
    """Whether every package is there, in one of these versions."""
    return all(
        package in versions and SpecifierSet(specifier).contains(versions[package], prereleases=True)
        for package, specifier in specifiers.items()
    )


def _listed(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
