"""The bounds of every cell hold in every order of summation and form, and catch what is wrong by a little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from any_order import Array, run_in_any_order
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_conformance.reference.arithmetic.rounding import Precision, standard_precision, ulp, wider_sums
from rnn_conformance.reference.bounds.cells import propagated_of, residual_of
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.unrolled import unrolled

CELLS: list[Cell] = [
    SimpleRnn(),
    Lstm(),
    Lstm(recurrent_activation="hard_sigmoid_fifth", output_activation="linear", recurrent_bias="all", forget_bias=1.0),
    Lstm(activation="relu", recurrent_activation="hard_sigmoid"),
    Lstm(projection=2),
    Gru(),
    Gru(reset="before", recurrent_bias="candidate"),
    Gru(keep="1-z", recurrent_bias="none", recurrent_activation="hard_sigmoid"),
]


@dataclass(frozen=True)
class Drawn:
    """A cell with the weights of one direction, inputs and the initial state, all exact in `dtype`."""

    cell: Cell
    dtype: str
    weights: dict[str, Array]
    x: Array
    initial: list[Array]

    def wide(self) -> tuple[dict[str, Array], Array, list[Array]]:
        """Weights, inputs and initial state in float64, as the bounds ask for them."""
        weights: dict[str, Array] = {name: array.astype(np.float64) for name, array in self.weights.items()}
        return weights, self.x.astype(np.float64), [part.astype(np.float64) for part in self.initial]

    def residual(self, outputs: Array, precision: Precision | None = None) -> tuple[Expected, ...]:
        weights, x, initial = self.wide()
        own = precision or standard_precision(self.dtype)
        return residual_of(self.cell, weights, x, outputs.astype(np.float64), initial, own)

    def propagated(self, precision: Precision | None = None) -> tuple[Expected, ...]:
        weights, x, initial = self.wide()
        return propagated_of(self.cell, weights, x, initial, precision or standard_precision(self.dtype))


def draw(
    rng: np.random.Generator,
    cell: Cell,
    dtype: str = "float32",
    sizes: tuple[int, int, int, int] = (2, 6, 5, 4),
    scale: float = 1.0,
    use_bias: bool = True,
) -> Drawn:
    """Random numbers; `sizes` are batch, timesteps, features and units."""
    batch, timesteps, features, units = sizes
    shapes = cell.shapes(features, units, use_bias)
    weights = {name: (scale * rng.standard_normal(shape)).astype(dtype) for name, shape in shapes.items()}
    x = rng.standard_normal((batch, timesteps, features)).astype(dtype)
    initial = [rng.uniform(-1, 1, (batch, width)).astype(dtype) for width in cell.widths(units).values()]
    return Drawn(cell, dtype, weights, x, initial)


def share(actual: Array, expected: Expected) -> float:
    """The largest error as a share of its bound: at most 1 for a right subject."""
    error = np.abs(actual.astype(np.float64) - expected.value)
    return float(np.divide(error, expected.bound, out=np.zeros_like(error), where=error > 0).max())


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    cell=st.sampled_from(CELLS),
    dtype=st.sampled_from(["float32", "float64"]),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    scale=st.sampled_from([0.01, 0.3, 1.0, 4.0]),
    use_bias=st.booleans(),
    flushes=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_right_cells_stay_within_both_bounds(
    cell: Cell,
    dtype: str,
    sizes: tuple[int, int, int, int],
    scale: float,
    use_bias: bool,
    flushes: bool,
    seed: int,
) -> None:
    """Every part of the state of a right cell is within its bounds, whatever the order and the form of what it does."""
    rng = np.random.default_rng(seed)
    drawn = draw(rng, cell, dtype, sizes, scale, use_bias)
    parts = run_in_any_order(cell, drawn.weights, drawn.x, drawn.initial, rng, flushes=flushes)
    for expected in (drawn.residual(parts[0]), drawn.propagated()):
        assert max(map(share, parts, expected)) <= 1


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype: str, wide: bool, cell: Cell) -> None:
    """The same in half precision, with sums in that type or in float32."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        drawn = draw(rng, cell, dtype, scale=0.5)
        parts = run_in_any_order(cell, drawn.weights, drawn.x, drawn.initial, rng, wide=wide, flushes=seed == 0)
        precision = wider_sums(dtype) if wide else standard_precision(dtype)
        expected = drawn.residual(parts[0], precision)
        assert max(map(share, parts, expected)) <= 1
        assert max(map(share, parts, drawn.propagated(precision))) <= 1
        assert np.isfinite(expected[0].bound).all()


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_faint_numbers_may_be_flushed(cell: Cell) -> None:
    """Numbers on both sides of the smallest normal one cost a right cell no more than is allowed."""
    rng = np.random.default_rng(6)
    drawn = draw(rng, cell)
    tiny = np.finfo(np.float32).tiny
    faint = {name: array * (tiny if name != "U" else 1) for name, array in drawn.weights.items()}
    for x, weights in ((drawn.x, faint), (drawn.x * 1000, faint), (drawn.x * tiny, drawn.weights)):
        case = replace(drawn, x=x, weights=weights, initial=[part * tiny for part in drawn.initial])
        parts = run_in_any_order(cell, case.weights, case.x, case.initial, rng, flushes=True)
        for expected in (case.residual(parts[0]), case.propagated()):
            assert max(map(share, parts, expected)) <= 1


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_one_element_beyond_the_residual_is_caught(cell: Cell) -> None:
    """Each single output may be moved to half its bound, but not 4 ULP beyond it."""
    rng = np.random.default_rng(0)
    drawn = draw(rng, cell, sizes=(1, 4, 3, 3), scale=0.7)
    outputs = run_in_any_order(cell, drawn.weights, drawn.x, drawn.initial, rng)[0]
    expected = drawn.residual(outputs)[0]
    beyond = expected.bound + 4 * ulp(np.abs(expected.value) + expected.bound, "float32")
    for index in np.ndindex(outputs.shape):
        for sign in (-1, 1):
            for distance, inside in ((expected.bound[index] / 2, True), (beyond[index], False)):
                moved = outputs.copy()
                moved[index] = expected.value[index] + sign * distance
                judged = drawn.residual(moved)[0]
                assert (abs(moved[index] - judged.value[index]) <= judged.bound[index]) == inside


# Faults, each on top of the reference.


def with_rows(drawn: Drawn, change: Callable[[dict[str, list[Array]]], None]) -> list[Array]:
    """The states of the reference whose weights are changed; `change` gets the rows of each gate."""
    count = len(drawn.cell.gates)
    rows = {name: np.split(array.copy(), count) for name, array in drawn.weights.items()}
    change(rows)
    return list(unrolled(drawn.cell, {n: np.concatenate(r) for n, r in rows.items()}, drawn.x, drawn.initial))


def swapped(first: int, second: int) -> Callable[[Drawn], list[Array]]:
    """Two gates change places."""

    def change(rows: dict[str, list[Array]]) -> None:
        for each in rows.values():
            each[first], each[second] = each[second], each[first]

    return lambda drawn: with_rows(drawn, change)


def transposed(gate: int) -> Callable[[Drawn], list[Array]]:
    """The recurrent kernel of one gate is read the other way round."""

    def change(rows: dict[str, list[Array]]) -> None:
        rows["U"][gate] = rows["U"][gate].T

    return lambda drawn: with_rows(drawn, change)


def lost_recurrent_bias(drawn: Drawn) -> list[Array]:
    """The second bias is not there."""
    weights = {name: array for name, array in drawn.weights.items() if name != "c"}
    return list(unrolled(drawn.cell, weights, drawn.x, drawn.initial))


def of_other_cell(cell: Cell) -> Callable[[Drawn], list[Array]]:
    """Another variant of the cell is computed."""
    return lambda drawn: list(unrolled(cell, drawn.weights, drawn.x, drawn.initial))


def c_starts_from_zero(drawn: Drawn) -> list[Array]:
    """The hidden part of the initial state is forgotten."""
    h, c = drawn.initial
    return list(unrolled(drawn.cell, drawn.weights, drawn.x, [h, np.zeros_like(c)]))


def c_lost_in_the_middle(drawn: Drawn) -> list[Array]:
    """The hidden part of the state is lost after the third timestep."""
    first = unrolled(drawn.cell, drawn.weights, drawn.x[:, :3], drawn.initial)
    state = [first[0][:, -1], np.zeros_like(first[1][:, -1])]
    second = unrolled(drawn.cell, drawn.weights, drawn.x[:, 3:], state)
    return [np.concatenate(parts, axis=1) for parts in zip(first, second, strict=True)]


def h_for_c(drawn: Drawn) -> list[Array]:
    """The output takes the place of the hidden part in what is returned of the state."""
    h, _ = unrolled(drawn.cell, drawn.weights, drawn.x, drawn.initial)
    return [h, h]


FAULTS: list[tuple[Cell, Callable[[Drawn], list[Array]]]] = [
    *((Lstm(), swapped(*gates)) for gates in ((0, 1), (1, 3), (0, 3), (2, 3))),
    *((Lstm(), transposed(gate)) for gate in range(4)),
    (Lstm(), of_other_cell(Lstm(forget_bias=1.0))),
    (Lstm(), of_other_cell(Lstm(output_activation="linear"))),
    (Lstm(), of_other_cell(Lstm(recurrent_activation="hard_sigmoid"))),
    (Lstm(recurrent_activation="hard_sigmoid"), of_other_cell(Lstm(recurrent_activation="hard_sigmoid_fifth"))),
    (Lstm(recurrent_bias="all"), lost_recurrent_bias),
    (Lstm(), c_starts_from_zero),
    (Lstm(), c_lost_in_the_middle),
    (Lstm(), h_for_c),
    *((Gru(), swapped(*gates)) for gates in ((0, 1), (1, 2))),
    *((Gru(), transposed(gate)) for gate in range(3)),
    (Gru(), of_other_cell(Gru(keep="1-z"))),
    (Gru(), of_other_cell(Gru(reset="before"))),
    (Gru(reset="before"), of_other_cell(Gru(reset="after"))),
    (Gru(), lost_recurrent_bias),
    (Gru(recurrent_bias="candidate"), lost_recurrent_bias),
]


@pytest.mark.parametrize(("cell", "fault"), FAULTS)
def test_faults_exceed_both_bounds(cell: Cell, fault: Callable[[Drawn], list[Array]]) -> None:
    """A wrong cell is out of its bounds, by thousands of them where its outputs are seen."""
    drawn = draw(np.random.default_rng(2), cell, scale=0.5)
    parts = fault(drawn)
    assert max(map(share, parts, drawn.residual(parts[0]))) > 1000
    assert max(map(share, parts, drawn.propagated())) > 10


@pytest.mark.parametrize("cell", [Lstm(), Gru(), Gru(reset="before")], ids=str)
def test_the_residual_does_not_grow_with_time(cell: Cell) -> None:
    """After 120 steps the residual is as sharp as at first, while the propagated bound grows from step to step."""
    drawn = draw(np.random.default_rng(0), cell, sizes=(1, 120, 8, 8), scale=0.7)
    outputs = unrolled(cell, drawn.weights, drawn.x, drawn.initial)[0]
    residual = drawn.residual(outputs)[0].bound
    assert residual[:, 60:].max() < 2 * residual[:, :60].max() < 1e-4
    assert drawn.propagated()[0].bound[:, 60].max() > 1


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_after_what_is_not_finite_there_is_no_bound(cell: Cell) -> None:
    """An output that is not finite has a bound; the next one has none, nor those after it where c depends on it."""
    drawn = draw(np.random.default_rng(1), cell)
    outputs = unrolled(cell, drawn.weights, drawn.x, drawn.initial)[0]
    outputs[1, 2, 0], outputs[0, 5, 1] = np.nan, np.inf
    expected = drawn.residual(outputs)[0]
    assert np.isfinite(expected.value).all()
    assert np.isinf(expected.bound[1, 3]).all()
    assert np.isfinite(expected.bound[:, :3]).all()
    assert np.isfinite(expected.bound[0]).all()
    assert np.isinf(expected.bound[1, 4]).all() == (len(cell.parts) > 1)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_what_has_no_bound_is_infinite(cell: Cell) -> None:
    """Where roundings have no bound, or numbers may overflow, it is infinite and never NaN."""
    drawn = draw(np.random.default_rng(1), cell, "bfloat16", (1, 3, 300, 2))
    outputs = np.zeros((1, 3, 2))
    for expected in (*drawn.residual(outputs), *drawn.propagated()):
        assert np.isposinf(expected.bound).all()
    huge = draw(np.random.default_rng(1), cell, "float16", scale=300)
    for expected in (*huge.residual(np.zeros((2, 6, cell.widths(4)["h"]))), *huge.propagated()):
        assert not np.isnan(expected.bound).any()


def test_the_inputs_may_be_off_by_their_error() -> None:
    """Inputs within their error keep a subject within both bounds, and far beyond it do not."""
    for cell in CELLS:
        rng = np.random.default_rng(10)
        drawn = draw(rng, cell, "float64", scale=0.3)
        error = 10.0 ** rng.uniform(-6, -2, drawn.x.shape)
        for reach, inside in ((1, True), (40, False)):
            x = drawn.x + reach * error * np.sign(drawn.weights["W"][-1])
            parts = unrolled(cell, drawn.weights, x, drawn.initial)
            arguments = (drawn.initial, standard_precision("float64"), error)
            residual = residual_of(cell, drawn.weights, drawn.x, parts[0], *arguments)
            propagated = propagated_of(cell, drawn.weights, drawn.x, *arguments)
            assert (max(map(share, parts, residual)) <= 1) == inside
            assert (max(map(share, parts, propagated)) <= 1) or not inside
