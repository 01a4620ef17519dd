"""The drawn suite on somebody's own layer: a function, a class or an adapter, within one's own test."""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import from_function
from rnn_conformance.adapters.protocol import Adapter, Network
from rnn_conformance.adapters.support import refuse_unsupported
from rnn_conformance.conformance.cases.profiles import PROFILES, Profile
from rnn_conformance.conformance.checks.catalogue import checks, dtypes_of, is_about
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject, SubjectExited
from rnn_conformance.conformance.explaining.diagnosis import explain
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.selftest.trials import failure_of
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import Weights

DRAWS = 4
"""So many sets of numbers are drawn for each model."""

_ALONE = "it is one layer"


@dataclass(frozen=True)
class SuiteReport:
    """What came of the suite: how many examples each check tried, and why others could not be run."""

    cell: str
    examples: dict[str, int]
    unsupported: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        total = sum(self.examples.values())
        lines = [f"{len(self.examples)} checks of {self.cell} conform, on {total} examples"]
        return "\n".join([*lines, *(f"  not run ({count}): {why}" for why, count in self.unsupported.items())])


def run_suite(subject: Any, cell: str | Cell, examples: int, seed: int = 0) -> SuiteReport:
    """Run every check of the cell, in float32 and float64 as far as there are these, on so many examples each.

    The arguments are those of `assert_conforms`. Raises NonConforming for the first check that fails, with what the
    failure looks like; RuntimeError where a check could not be run because of an error in it.
    """
    chosen = CELLS[cell]() if isinstance(cell, str) and cell in CELLS else cell
    if not isinstance(chosen, Cell):
        raise ValueError(f"there is no cell {cell!r}; the cells are {', '.join(CELLS)}")
    adapter = adapter_of(subject, chosen)
    profile = replace(PROFILES["default"], structures=4, examples=max(1, examples // DRAWS), draws=DRAWS)
    tested = Subject(adapter)
    described = tested.description
    tried: Counter[str] = Counter()
    lacking: Counter[str] = Counter()
    for name, function in checks().items():
        if not is_about(function, chosen.name):
            continue
        for dtype in (each for each in dtypes_of(function, profile) if each in described.precision):
            check = _check(name, tested, dtype, profile, seed, chosen.name)
            failure = failure_of(check, function)
            if isinstance(failure, str):
                raise RuntimeError(f"{name}, {dtype}: {failure}")
            if failure is not None:
                raise _told(name, dtype, failure, explain(function, check, failure))
            if check.evidence.examples:
                tried[name] += check.evidence.examples
            else:
                lacking[f"{name}: nothing of it is offered"] += 1
    return SuiteReport(chosen.name, dict(tried), dict(lacking))


def _check(name: str, subject: Subject, dtype: str, profile: Profile, seed: int, cell: str) -> Check:
    main = subject.description.modes[0]
    tried = f"{name}[{dtype}-{main}]"
    return Check(tried, subject, dtype, main, profile, seed, 1, Journal(None), shrinks=True, cell=cell)


def _told(name: str, dtype: str, failure: NonConforming | SubjectExited, looks_like: str) -> NonConforming:
    words = [f"{name}, {dtype}: {failure}", *([looks_like] if looks_like else [])]
    judgement = failure.judgement if isinstance(failure, NonConforming) else None
    return NonConforming(" — ".join(words), judgement)


def adapter_of(subject: Any, cell: Cell) -> Adapter:
    """An adapter as it is; one of a class of ``(features, units)``, or of a function. Raises ValueError for neither."""
    if hasattr(subject, "describe"):
        return cast(Adapter, subject)
    if inspect.isclass(subject):
        return ClassAdapter(subject, _description(subject, cell))
    if callable(subject):
        described = Description(framework=_name(subject), versions={}, cells=(cell.name,), variants=(cell,))
        return from_function(subject, described)
    raise ValueError(f"{_name(subject)} is neither an adapter, nor a class or a function")


def _name(subject: Any) -> str:
    return getattr(subject, "__name__", type(subject).__name__)


def _description(subject: Any, cell: Cell) -> Description:
    missing = [name for name in ("load", "__call__") if not callable(getattr(subject, name, None))]
    if missing:
        raise ValueError(
            f"{_name(subject)} has no {' and no '.join(missing)}: it is made as {_name(subject)}(features, units), "
            "loaded by load({'W': ..., 'U': ..., 'b': ...}) with the arrays of SPEC.md, and called with inputs (batch, "
            "timesteps, features), and with what it takes by the names initial_state, lengths and mask"
        )
    taken = inspect.signature(subject.__call__).parameters
    lacks = dict.fromkeys(("stack", "embedding", "single sequence", "symbolic shapes", "parameter count"), _ALONE)
    if "initial_state" not in taken:
        lacks["initial state"] = "it takes no initial_state"
    if "use_bias" not in inspect.signature(subject).parameters:
        lacks["no bias"] = "it always has a bias"
    return Description(
        framework=_name(subject),
        versions={},
        cells=(cell.name,),
        variants=(cell,),
        offers=tuple(name for name in ("lengths", "mask") if name in taken),
        unsupported=lacks,
    )


@dataclass(frozen=True)
class ClassAdapter:
    """An adapter whose networks are instances of a user's own class."""

    made: Any
    description: Description

    def describe(self) -> Description:
        return self.description

    def prepare(self, architecture: Architecture) -> Network:
        refuse_unsupported(self.description, architecture)
        return cast(Network, _ClassNetwork(self.made, architecture))


class _ClassNetwork:
    """One instance, which is loaded and called."""

    def __init__(self, made: Any, architecture: Architecture) -> None:
        (layer,) = architecture.layers
        options = {} if layer.use_bias else {"use_bias": False}
        self._architecture = architecture
        self._layer = made(layer.features, layer.units, **options)
        self._weights: Weights | None = None

    def load(self, weights: Weights) -> None:
        self._weights = weights.map(np.array)
        self._layer.load({name: array.copy() for name, array in weights.layers[0].named.items()})

    def weights(self) -> Weights:
        """What was loaded, or what the instance gives back by a method `weights` of its own."""
        assert self._weights is not None, "no weights are loaded"
        if not hasattr(self._layer, "weights") or not callable(self._layer.weights):
            return self._weights.map(np.array)
        return Weights.of({f"layers[0].{name}": np.asarray(array) for name, array in self._layer.weights().items()})

    def run(self, inputs: Any, *, initial_state: State | None = None, **given: Any) -> Output:
        named = {name: value for name, value in given.items() if value is not None}
        if initial_state is not None:
            ((parts,),) = initial_state
            named["initial_state"] = parts if len(parts) > 1 else parts[0]
        result = self._layer(inputs, **named)
        outputs, final = result if isinstance(result, tuple) else (result, None)
        outputs = np.asarray(outputs)
        state = None
        if final is not None:
            shown = final if isinstance(final, tuple | list) else (final,)
            state = each_state(np.asarray, ((tuple(shown),),))
        if not self._architecture.return_sequences:
            outputs = state[0][0][0] if state is not None else outputs[:, -1]
        return Output(outputs, state if self._architecture.return_state else None)
