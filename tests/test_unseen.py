"""States that are not seen have first-order bounds, in any cell: they hold for right subjects, and stay sharp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from any_order import run_in_any_order
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cell_bounds import CELLS, Drawn, draw, share

from rnn_conformance.reference.arithmetic.plain import Plain
from rnn_conformance.reference.arithmetic.rounding import Precision, gamma, standard_precision, ulp, wider_sums
from rnn_conformance.reference.bounds import verified
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.bounds.unseen import unseen_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.weights import Array

COARSE = Precision("float32", 2.0**-11, standard_precision("float32").ulps)
"""Float32 with the products of TF32: errors so large that what is not linear in them counts."""

in_words = unseen_of.dispatch(Cell)
"""The bound that is read from the equation, also for a cell that has one of its own."""


def bounds_of(drawn: Drawn, precision: Precision | None = None) -> tuple[Expected, ...]:
    """The bounds of a drawn cell, everything in float64 as they ask for."""
    weights, x, initial = drawn.wide()
    found: tuple[Expected, ...] = in_words(
        drawn.cell, weights, x, initial, precision or standard_precision(drawn.dtype)
    )
    return found


class Worst(Plain):
    """The words in float64, each off by nearly all that it may be off, in a direction of its own."""

    def __init__(self, drawn: Drawn, precision: Precision, rng: np.random.Generator) -> None:
        super().__init__(drawn.wide()[0], drawn.cell.gates)
        self.precision, self.rng = precision, rng
        self.roundoff = max(precision.unit_roundoff, precision.eps / 2)

    def off(self, value: Array, by: Array) -> Array:
        return value + self.rng.choice([-0.99, 0.99], value.shape) * by

    def affine(
        self, products: Sequence[tuple[str, Array]], biases: Sequence[str] = (), gates: Sequence[str] = ()
    ) -> Array:
        size = sum(np.abs(self.rows.of(name, gates)) @ np.abs(x) for name, x in products)
        terms = sum(x.shape[-2] for _, x in products)
        return self.off(super().affine(products, biases, gates), gamma(terms, self.precision.unit_roundoff) * size)

    def act(self, name: str, z: Array) -> Array:
        y = super().act(name, z)
        return self.off(y, self.precision.ulps.get(name, 0) * ulp(np.abs(y) * (1 - 2.0**-24), "float32"))

    def mul(self, a: Array, b: Array) -> Array:
        return self.off(a * b, self.roundoff * np.abs(a * b))

    def add(self, a: Array, b: Array) -> Array:
        return self.off(a + b, self.roundoff * np.abs(a + b))

    def lerp(self, z: Array, a: Array, b: Array) -> Array:
        return self.add(self.mul(z, a), self.mul(self.add(np.ones_like(z), -z), b))

    def run(self, drawn: Drawn) -> list[Array]:
        """All parts of the state, (batch, timesteps, units)."""
        _, x, initial = drawn.wide()
        state: tuple[Array, ...] = tuple(part.T for part in initial)
        found = []
        for x_t in x.transpose(1, 2, 0):
            state = drawn.cell.step(self, drawn.cell.project(self, x_t), state)
            found.append(state)
        return [np.stack(part).transpose(2, 0, 1) for part in zip(*found, strict=True)]


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    cell=st.sampled_from(CELLS),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    sizes=st.tuples(st.integers(1, 2), st.integers(6, 16), st.integers(1, 6), st.integers(1, 6)),
    scale=st.sampled_from([0.3, 1.0, 3.0]),
    flushes=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_right_cells_stay_within(
    cell: Cell, dtype: str, sizes: tuple[int, int, int, int], scale: float, flushes: bool, seed: int
) -> None:
    """Every part of the state of a right cell is within its bound, which is never above the propagated one."""
    rng = np.random.default_rng(seed)
    drawn = draw(rng, cell, dtype, sizes, scale)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = run_in_any_order(cell, drawn.weights, drawn.x, drawn.initial, rng, flushes=flushes)
    for part, expected, propagated in zip(parts, bounds_of(drawn), drawn.propagated(), strict=True):
        np.testing.assert_array_equal(expected.value, propagated.value)
        assert (expected.bound <= propagated.bound).all()
        bounded = np.isfinite(expected.bound)
        assert (np.abs(part.astype(np.float64) - expected.value) <= expected.bound)[bounded].all()


@pytest.mark.parametrize(("dtype", "most"), [("float16", 0.1), ("bfloat16", np.inf)])
@pytest.mark.parametrize("cell", [SimpleRnn(), Lstm(), Gru(), Gru(reset="before")], ids=str)
def test_sums_in_float32_stay_within(cell: Cell, dtype: str, most: float) -> None:
    """Half precision whose sums are float32, and rounded where a runtime stores them; bfloat16 is too coarse for it."""
    rng = np.random.default_rng(0)
    drawn = draw(rng, cell, dtype, (2, 12, 4, 6), scale=0.3)
    parts = run_in_any_order(cell, drawn.weights, drawn.x, drawn.initial, rng, wide=True)
    expected = bounds_of(drawn, wider_sums(dtype))
    assert max(map(share, parts, expected)) <= 1
    assert max(part.bound.max() for part in expected) <= most


@pytest.mark.parametrize("precision", [standard_precision("float32"), COARSE], ids=["float32", "tf32"])
@pytest.mark.parametrize("cell", [SimpleRnn(), *CELLS], ids=str)
def test_the_worst_words_stay_within(cell: Cell, precision: Precision) -> None:
    """Every word may lose all that it may lose, in cells that forget and in chaotic ones."""
    reached = 0.0
    for seed, scale in enumerate((0.5, 1.5)):
        drawn = draw(np.random.default_rng(seed), cell, sizes=(2, 14, 3, 5), scale=scale)
        expected = bounds_of(drawn, precision)
        parts = Worst(drawn, precision, np.random.default_rng(seed)).run(drawn)
        worst = max(map(share, parts, expected))
        assert worst <= 1
        reached = max(reached, worst)
    assert reached > 0.2


@pytest.mark.parametrize("cell", [Lstm(), Gru(), Gru(reset="before")], ids=str)
def test_it_does_not_explode(cell: Cell) -> None:
    """After 40 steps of 8 units a bound of 2e-4 is left, where the propagated one says nothing; a lost input shows."""
    drawn = draw(np.random.default_rng(0), cell, sizes=(1, 40, 5, 8), scale=0.5)
    expected, propagated = bounds_of(drawn), drawn.propagated()
    assert max(part.bound.max() for part in expected) < 2e-4
    assert propagated[0].bound.max() > 1
    x = drawn.x.copy()
    x[:, 30] = 0
    wrong = replace(drawn, x=x).propagated()[0].value[:, -1]
    assert (np.abs(wrong - expected[0].value[:, -1]) > expected[0].bound[:, -1]).any()
    assert not (np.abs(wrong - propagated[0].value[:, -1]) > propagated[0].bound[:, -1]).any()


def test_the_words_agree_with_the_simple_rnn_by_hand() -> None:
    """Both readings of one equation bound the same errors, one by hand and one by its words.

    They are two proofs, which group roundings otherwise: no bound is as much as half as large again as the other.
    """
    for seed, scale in enumerate((0.3, 0.5, 1.0)):
        drawn = draw(np.random.default_rng(seed), SimpleRnn(), sizes=(2, 30, 5, 8), scale=scale)
        weights, x, initial = drawn.wide()
        ((by_hand,), (by_words,)) = (
            bound(drawn.cell, weights, x, initial, standard_precision("float32")) for bound in (unseen_of, in_words)
        )
        np.testing.assert_allclose(by_words.bound, by_hand.bound, rtol=0.5)


def test_what_is_not_proved_is_left_to_the_propagated_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess that was too small proves nothing of the steps after it; in blocks of steps, all bounds are the same."""
    drawn = draw(np.random.default_rng(0), Lstm(), sizes=(2, 20, 3, 5), scale=1.0)
    (expected, _), (propagated, _) = bounds_of(drawn), drawn.propagated()
    monkeypatch.setattr(verified, "_AT_ONCE", 700)
    np.testing.assert_allclose(bounds_of(drawn)[0].bound, expected.bound, rtol=1e-9)
    monkeypatch.setattr(verified, "_ATTEMPTS", 1)
    unproved = bounds_of(drawn)[0].bound
    np.testing.assert_array_equal(unproved[:, 1:], propagated.bound[:, 1:])
    assert (expected.bound[:, -1] < 0.5 * unproved[:, -1]).all()
