"""The drawn suite on somebody's own layer: a function, a class or an adapter, within one's own test."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import from_function
from rnn_conformance.adapters.protocol import Adapter, Network
from rnn_conformance.adapters.support import refuse_unsupported
from rnn_conformance.conformance.cases.profiles import PROFILES, Profile
from rnn_conformance.conformance.checks.catalogue import checks, clauses_of, dtypes_of, is_about
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.engine.verdicts import conclude
from rnn_conformance.conformance.explaining.diagnosis import explain
from rnn_conformance.conformance.judging.comparing import Judgement, NonConforming
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.model.architecture import Architecture, Choices
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import LayerWeights, Weights
from rnn_conformance.reports.records.records import CheckRecord

DRAWS = 4
"""So many sets of numbers are drawn for each model."""

_ALONE = "it is one layer"


@dataclass(frozen=True)
class SuiteReport:
    """What came of the suite: how many examples each check tried, and why others could not be run.

    `records` has all that is known of each check of the `subject`, as the results of a run do.
    """

    cell: str
    examples: dict[str, int]
    unsupported: dict[str, int] = field(default_factory=dict)
    subject: str = ""
    records: tuple[CheckRecord, ...] = ()

    def __str__(self) -> str:
        total = sum(self.examples.values())
        lines = [f"{len(self.examples)} checks of {self.cell} conform, on {total} examples"]
        return "\n".join([*lines, *(f"  not run ({count}): {why}" for why, count in self.unsupported.items())])


class SuiteFailed(NonConforming):
    """A check that failed: its record, of which `subject` and kind of `cell`."""

    def __init__(self, record: CheckRecord, subject: str, cell: str, judgement: Judgement | None) -> None:
        super().__init__(f"{record.check}: {record.message}", judgement)
        self.record, self.subject, self.cell = record, subject, cell


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
    records: list[CheckRecord] = []
    for name, function in checks().items():
        if not is_about(function, chosen.name):
            continue
        for dtype in (each for each in dtypes_of(function, profile) if each in described.precision):
            check = _check(name, tested, dtype, profile, seed, chosen.name)
            title = (function.__doc__ or "").strip().partition("\n")[0]
            record = conclude(
                check, function, Item(check.name, title, clauses_of(function), dtype, check.mode), (), explain
            )
            if record.verdict == "broken":
                raise RuntimeError(f"{name}, {dtype}: {record.message}")
            if record.verdict in ("fails", "crashed"):
                raise SuiteFailed(record, described.framework, chosen.name, check.evidence.worst)
            records.append(record)
            if record.examples:
                tried[name] += record.examples
            else:
                lacking[f"{name}: nothing of it is offered"] += 1
    return SuiteReport(chosen.name, dict(tried), dict(lacking), described.framework, tuple(records))


def _check(name: str, subject: Subject, dtype: str, profile: Profile, seed: int, cell: str) -> Check:
    main = subject.description.modes[0]
    tried = f"{name}[{dtype}-{main}]"
    return Check(tried, subject, dtype, main, profile, seed, 1, Journal(None), shrinks=True, cell=cell)


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
            "timesteps, features), and with what it takes by the names initial_state, lengths and mask; it may have a "
            "method gradients(inputs, cotangent, state_cotangent), with the same by name, which gives them by name, "
            "and an attribute padded_outputs: 'zero', 'repeat' or 'continue'"
        )
    taken = inspect.signature(subject.__call__).parameters
    extras = [name for name in ("lengths", "mask") if name in taken]
    if callable(getattr(subject, "gradients", None)):
        extras.append("gradients")
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
        offers=tuple(extras),
        unsupported=lacks,
        choices=Choices(padded_outputs=getattr(subject, "padded_outputs", "zero")),
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
        result = self._layer(inputs, **_by_name(initial_state, given))
        outputs, final = result if isinstance(result, tuple) else (result, None)
        outputs = np.asarray(outputs)
        state = None
        if final is not None:
            shown = final if isinstance(final, tuple | list) else (final,)
            state = each_state(np.asarray, ((tuple(shown),),))
        if not self._architecture.return_sequences:
            outputs = state[0][0][0] if state is not None else outputs[:, -1]
        return Output(outputs, state if self._architecture.return_state else None)

    def gradients(
        self, inputs: Any, cotangent: Output, *, initial_state: State | None = None, **given: Any
    ) -> Gradients:
        """What the instance's own method gives: a last output is the h of the final state."""
        (layer,) = self._architecture.layers
        widths = layer.cell.widths(layer.units).values()
        of_outputs = cotangent.outputs
        parts = [np.zeros((len(inputs), width), of_outputs.dtype) for width in widths]
        if cotangent.final_state is not None:
            parts = [part.copy() for part in cotangent.final_state[0][0]]
        if not self._architecture.return_sequences:
            parts[0] += of_outputs
            of_outputs = np.zeros((*inputs.shape[:2], parts[0].shape[-1]), of_outputs.dtype)
        found = self._layer.gradients(inputs, of_outputs, _alone(parts), **_by_name(initial_state, given))
        of_state = None
        if initial_state is not None:
            d = found["initial_state"]
            of_state = each_state(np.asarray, ((tuple(d) if isinstance(d, tuple | list) else (d,),),))
        named = {name: np.asarray(found[name]) for name in layer.cell.shapes(1, 1, layer.use_bias)}
        return Gradients(Weights((LayerWeights(named),)), np.asarray(found["inputs"]), of_state)


def _by_name(initial_state: State | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What an instance is given by name: of each what there is."""
    named = {name: value for name, value in given.items() if value is not None}
    if initial_state is not None:
        ((parts,),) = initial_state
        named["initial_state"] = _alone(parts)
    return named


def _alone(parts: Sequence[Any]) -> Any:
    """h alone, or all parts."""
    return tuple(parts) if len(parts) > 1 else parts[0]
