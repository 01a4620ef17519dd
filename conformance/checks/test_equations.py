"""Chapters 15 to 17 of SPEC.md: the equation of each cell, where every number of a timestep can be told by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.exact import exact_step
from rnn_conformance.conformance.cases.profiles import GATED, GRU, LSTM, SIMPLE_RNN
from rnn_conformance.conformance.cases.regimes import EXACT_GATES, GAIN
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.examining import Examine
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import DirectionState
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

_ALL, _THRIFTY = ("float16", "bfloat16", "float32", "float64"), ("bfloat16", "float32")
_FEATURES, _UNITS, _BATCH = 2, 3, 8

_WHY = "each gate is 0, 1/2 or 1, and nothing is rounded"

Wrong = Mapping[str, tuple[Cell, Mapping[str, Array]]]
"""By clause, a cell and its arrays that would give something else in a layer that breaks it."""


@pytest.mark.clause("15.1", dtypes=_ALL, thrifty=_THRIFTY, cells=SIMPLE_RNN)
def test_simple_rnn(check: Check) -> None:
    """A step of a simple RNN in whole numbers is exactly activation(W x + U h + b)."""

    def examine(case: Case) -> bool:
        (h,) = _examined(check, case)
        _, named = _layer(case)
        without = {**named, "U": np.zeros_like(named["U"])}
        return _differs((h,), _stepped(case, case.architecture.layers[0].cell, without))

    _search(check, check.cells, examine)


@pytest.mark.clause("16.1", "16.2", "16.9", dtypes=_ALL, thrifty=_THRIFTY, cells=LSTM)
def test_lstm(check: Check) -> None:
    """A step of an LSTM whose gates are 0, 1/2 or 1 is exactly that of its equation, each gate with its rows."""

    def examine(case: Case) -> Set[str]:
        right = _examined(check, case)
        cell, named = _layer(case)
        i, f, g, o = np.split(np.arange(len(named["U"]), dtype=np.intp), 4)
        wrong = {
            "16.1": (cell, _without(named, f)),
            "16.2": (cell, _without(named, o)),
            "16.9": (cell, _in_order(named, np.concatenate([f, i, g, o]))),
        }
        return _told(case, right, wrong)

    _search(check, check.cells, examine)


@pytest.mark.clause("16.3", cells=LSTM)
def test_state_of_lstm(check: Check) -> None:
    """Called a timestep at a time, an LSTM goes on from h and c as they were handed over, at each of the steps."""
    check.requires("initial state")
    check.requires("final state")

    def examine(case: Case) -> bool:
        model, state = check.network(case), case.initial_state
        tells = False
        for t in range(case.timesteps):
            arrays = replace(case.arrays, inputs=case.inputs[:, t : t + 1], initial_state=state)
            one = replace(case, timesteps=1).with_arrays(arrays)
            output = model.run(one.inputs, initial_state=one.initial_state)
            check.judge(one, output, from_given_state=True)
            without_c = tuple(tuple((h, np.zeros_like(c)) for h, c in layer) for layer in state)
            other = network.run(case.architecture, case.weights, one.inputs, without_c)
            tells |= laws.tells(check, one, other, "states", from_given_state=True)
            assert output.final_state is not None  # judge has seen to it
            state = output.final_state
        return tells

    check.for_all("layer", examine, return_state=True, where=laws.is_short, few=True)


@pytest.mark.clause("16.4", dtypes=_ALL, thrifty=_THRIFTY, cells=LSTM)
def test_recurrent_bias_of_lstm(check: Check) -> None:
    """What stands in the recurrent bias of an LSTM is added to what stands in b, exactly."""

    def examine(case: Case) -> bool:
        right = _examined(check, case)
        cell, named = _layer(case)
        return _differs(right, _stepped(case, cell, {**named, "c": np.zeros_like(named["c"])}))

    _search(check, _with_recurrent_bias(check), examine)


@pytest.mark.clause("16.5", dtypes=_ALL, thrifty=_THRIFTY, cells=LSTM)
def test_forget_bias(check: Check) -> None:
    """The forget gate is exactly 1/2 where its bias takes back what is declared to be added, and no other gate is."""

    def cases() -> Iterator[Case]:
        for cell in _of_main(check, check.cells):
            assert isinstance(cell, Lstm)
            case = Case(_architecture(check, cell), _BATCH, 1, EXACT_GATES, check.seed)
            named = case.weights.layers[0].map(np.zeros_like).named
            limited = cell.activation not in ("relu", "linear")
            for gate, z in (("f", -cell.forget_bias), ("g", GAIN if limited else 1)):
                at = cell.gates.index(gate) * _UNITS
                named["b"][at : at + _UNITS] = z
            yield case.with_arrays(replace(case.arrays, weights=Weights((LayerWeights(named),))))

    def examine(case: Case) -> bool:
        right = _examined(check, case)
        cell, named = _layer(case)
        assert isinstance(cell, Lstm)
        return _differs(right, _stepped(case, replace(cell, forget_bias=GAIN), named))

    check.requires("initial state")
    check.requires("final state")
    check.every(cases(), examine)


@pytest.mark.clause("1.7", cells=GATED)
def test_permuting_units_of_gates(check: Check) -> None:
    """Units that are permuted in each gate give permuted states, exactly where the arithmetic is exact."""

    def examine(case: Case) -> bool:
        right = _examined(check, case)
        order = np.random.default_rng(case.seed).permutation(_UNITS)
        state = ((tuple(part[:, order] for part in case.initial_state[0][0]),),)
        weights = Weights((_permuted(case.weights.layers[0], order),))
        output = check.run(case, weights=weights, initial_state=state)
        why = "the units were only given another order"
        for part, actual, wanted in zip(case.architecture.layers[0].cell.parts, _state_of(output), right, strict=True):
            _same_where_known(check, f"final state {part} of permuted units", actual, wanted[:, order], why)
        return _differs(right, tuple(part[:, order] for part in right))

    _search(check, [cell for cell in check.cells if cell.widths(_UNITS)["h"] == _UNITS], examine)


def _permuted(weights: LayerWeights, order: NDArray[np.int64]) -> LayerWeights:
    """The rows of each gate in another order, and so the columns of U."""

    def rows(array: Array) -> Array:
        places = np.arange(len(array)).reshape(-1, _UNITS)[:, order]
        return array[places.ravel()]

    return LayerWeights({name: rows(a)[:, order] if name == "U" else rows(a) for name, a in weights.named.items()})


@pytest.mark.clause("17.1", "17.2", "17.6", dtypes=_ALL, thrifty=_THRIFTY, cells=GRU)
def test_gru(check: Check) -> None:
    """A step of a GRU whose gates are 0, 1/2 or 1 is exactly that of its equation, each gate with its rows."""

    def examine(case: Case) -> Set[str]:
        right = _examined(check, case)
        cell, named = _layer(case)
        assert isinstance(cell, Gru)
        z, r, n = np.split(np.arange(len(named["U"]), dtype=np.intp), 3)
        wrong = {
            "17.1": (replace(cell, reset="before" if cell.reset == "after" else "after"), named),
            "17.2": (replace(cell, keep="z" if cell.keep == "1-z" else "1-z"), named),
            "17.6": (cell, _in_order(named, np.concatenate([r, z, n]))),
        }
        return _told(case, right, wrong)

    _search(check, check.cells, examine)


@pytest.mark.clause("17.3", dtypes=_ALL, thrifty=_THRIFTY, cells=GRU)
def test_recurrent_bias_of_gru(check: Check) -> None:
    """The recurrent bias of a GRU is added exactly, and the candidate's is within the reset or outside, as declared."""

    def examine(case: Case) -> bool:
        right = _examined(check, case)
        cell, named = _layer(case)
        outside, without = named["b"].copy(), named["c"].copy()
        outside[-_UNITS:] += named["c"][-_UNITS:]
        without[-_UNITS:] = 0
        # With the reset before the product, outside is where it belongs.
        wrong = [{**named, "c": without}, {**named, "b": outside, "c": without}]
        return any(_differs(right, _stepped(case, cell, each)) for each in wrong)

    _search(check, _with_recurrent_bias(check), examine)


def _search(check: Check, cells: Sequence[Cell], examine: Examine) -> None:
    """Look for a step that is wrong in each of these cells."""
    check.requires("initial state")
    check.requires("final state")
    models = [(_architecture(check, cell), _BATCH, 1) for cell in _of_main(check, cells)]
    check.search(models, examine, regimes=[EXACT_GATES])


def _of_main(check: Check, cells: Sequence[Cell]) -> Sequence[Cell]:
    """All of them, or the first where each of them has to be compiled."""
    return cells[:1] if check.profile.thrifty or not check.in_main_mode else cells


def _with_recurrent_bias(check: Check) -> Sequence[Cell]:
    found = [cell for cell in check.cells if isinstance(cell, Lstm | Gru) and cell.recurrent_bias != "none"]
    if not found:
        raise Unsupported(f"no {check.cell} of the adapter has a recurrent bias")
    return found


def _architecture(check: Check, cell: Cell) -> Architecture:
    return Architecture((Layer(_FEATURES, _UNITS, cell),), dtype=check.dtype, mode=check.mode, return_state=True)


def _examined(check: Check, case: Case) -> tuple[Array, ...]:
    """Hold a step against what can be told of it, to the bit, and against its bounds. Returns what it should be."""
    output = check.run(case, initial_state=case.initial_state)
    cell, named = _layer(case)
    right = _stepped(case, cell, named)
    check.judge(case, output, from_given_state=True)
    for part, actual, wanted in zip(cell.parts, _state_of(output), right, strict=True):
        _same_where_known(check, f"final state {part}", actual, wanted)
    _same_where_known(check, "outputs[:, 0]", output.outputs[:, 0], right[0])
    return right


def _same_where_known(check: Check, name: str, actual: Array, wanted: Array, why: str = _WHY) -> None:
    """Raise NonConforming where a number is not the exact one, if there is such, and the type has it."""
    stored = np.nan_to_num(wanted).astype(actual.dtype)
    known = stored.astype(np.float64) == wanted
    zero = actual.dtype.type(0)
    same_bits(name, np.where(known, actual, zero), check.stored(np.where(known, stored, zero)), why)


def _layer(case: Case) -> tuple[Cell, Mapping[str, Array]]:
    return case.architecture.layers[0].cell, case.weights.layers[0].named


def _state_of(output: Output) -> DirectionState:
    assert output.final_state is not None  # judge has seen to it
    return output.final_state[0][0]


def _stepped(case: Case, cell: Cell, named: Mapping[str, Array]) -> tuple[Array, ...]:
    return exact_step(cell, named, case.inputs[:, 0], case.initial_state[0][0])


def _told(case: Case, right: tuple[Array, ...], wrong: Wrong) -> Set[str]:
    """Of which clauses the case tells: those for which the wrong layer would give other numbers."""
    return {clause for clause, layer in wrong.items() if _differs(right, _stepped(case, *layer))}


def _differs(right: tuple[Array, ...], wrong: tuple[Array, ...]) -> bool:
    """Whether there are numbers that are known and differ; what is not known in the wrong layer is another number."""
    return any(bool(((a != b) & ~np.isnan(a)).any()) for a, b in zip(right, wrong, strict=True))


def _without(named: Mapping[str, Array], rows: NDArray[np.intp]) -> Mapping[str, Array]:
    """The arrays with zeros in these rows: a gate that is always 1/2."""
    changed = {name: array.copy() for name, array in named.items()}
    for name in changed.keys() - {"P"}:
        changed[name][rows] = 0
    return changed


def _in_order(named: Mapping[str, Array], order: NDArray[np.intp]) -> Mapping[str, Array]:
    """The arrays with their rows in another order, where they have rows for all gates."""
    return {name: array[order] if len(array) == len(order) else array for name, array in named.items()}
