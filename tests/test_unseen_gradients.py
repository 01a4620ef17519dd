"""Gradients of every cell are judged at users' sizes: first-order bounds hold for the worst subject, and stay sharp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from test_cell_bounds import CELLS, draw, share
from test_cell_gradients import MODELS, Drawn
from test_unseen import COARSE, Worst

from rnn_conformance.reference.arithmetic.plain import by_time
from rnn_conformance.reference.arithmetic.rounding import Precision, gamma, standard_precision
from rnn_conformance.reference.bounds import adjoints, backward_steps
from rnn_conformance.reference.bounds.gradients import expected_gradients
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers.backwards import Passage
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, in_float64, weight_shapes


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linear forms are carried even where a box is sharp enough."""
    for module in (adjoints, backward_steps):
        monkeypatch.setattr(module, "SHARP", 0.0)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("architecture", MODELS, ids=str)
def test_right_gradients_stay_within(architecture: Architecture) -> None:
    """In float32, of stacks of different cells, in both directions, from a given state and with all cotangents."""
    drawn = Drawn(replace(architecture, dtype="float32"), scale=0.6)
    expected = drawn.expected()
    for name, found in drawn.gradients().items():
        assert share(found, expected[name]) <= 0.5


class WorstBack(Worst):
    """The way back, too, is off by nearly all that it may be off."""

    def product(self, name: str, x: Array, gates: Sequence[str] = (), *, transposed: bool = False) -> Array:
        value = super().product(name, x, gates, transposed=transposed)
        if not transposed:
            return value  # a part of a sum, which is off as a whole
        size = np.abs(self.rows.of(name, gates)).T @ np.abs(x)
        return self.off(value, gamma(x.shape[-2], self.precision.unit_roundoff) * size)

    def slope(self, name: str, y: Array) -> Array:
        slope = super().slope(name, y)
        return self.off(slope, gamma(3, self.roundoff) * slope)

    def difference(self, a: Array, b: Array) -> Array:
        return self.add(a, -b)

    def complement(self, z: Array) -> Array:
        return self.add(np.ones_like(z), -z)

    def over_time(self, d: Array, x: Array) -> Array:
        size = super().over_time(np.abs(d), np.abs(x))
        return self.off(super().over_time(d, x), gamma(d.shape[0] * d.shape[-1], self.roundoff) * size)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("precision", [standard_precision("float32"), COARSE], ids=["float32", "tf32"])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_worst_gradients_stay_within(cell: Cell, precision: Precision) -> None:
    """Every word, there and back, may lose all that it may lose."""
    for seed, scale in enumerate((0.3, 0.8)):
        drawn = draw(np.random.default_rng(seed), cell, sizes=(2, 12, 3, 4), scale=scale)
        weights, x, initial = drawn.wide()
        d_h = np.random.default_rng(seed).standard_normal((2, 12, cell.widths(4)["h"]))
        expected = expected_gradients(
            Architecture((Layer(3, 4, cell),)),
            Weights((LayerWeights(weights),)),
            x,
            Output(d_h),
            ((tuple(initial),),),
            precision,
        )
        worst = WorstBack(drawn, precision, np.random.default_rng(seed))
        states = [by_time(part) for part in worst.run(drawn)]
        before = [np.concatenate([part.T[np.newaxis], all_[:-1]]) for part, all_ in zip(initial, states, strict=True)]
        passage = Passage[Array](cell, worst, by_time(x), before, lambda number, t: number[t], np.stack)
        found = passage.back([by_time(d_h), *(np.zeros_like(part) for part in before[1:])], 12)
        arrays = {name: np.zeros_like(array) for name, array in weights.items()}
        for name, gates, d in found.weights:
            if name in arrays:
                arrays[name][worst.rows.where(name, gates)] += d
        for name, array in arrays.items():
            assert share(array, expected[f"layers[0].{name}"]) <= 1
        assert share(found.inputs.transpose(2, 0, 1), expected["inputs"]) <= 1


def sharpness(cell: Cell, units: int, timesteps: int) -> tuple[float, Expected, Array]:
    """The median bound of U's gradient as a share of its size, and what NumPy finds in float32."""
    rng = np.random.default_rng(0)
    architecture, most = Architecture((Layer(units, units, cell),)), units**-0.5
    shapes = weight_shapes(architecture)
    weights = Weights.of({name: rng.uniform(-most, most, shape).astype(np.float32) for name, shape in shapes.items()})
    x, d_h = (rng.standard_normal((1, timesteps, units)).astype(np.float32) for _ in range(2))
    expected = expected_gradients(
        architecture, in_float64(weights), x, Output(d_h), None, standard_precision("float32")
    )["layers[0].U"]
    found = gradients(architecture, weights, x, Output(d_h)).weights.layers[0].U
    return float(np.median(expected.bound) / np.median(np.abs(expected.value))), expected, found


@pytest.mark.slow
@pytest.mark.parametrize("cell", [Lstm(), Gru(), Gru(reset="before")], ids=str)
def test_gradients_are_judged_at_users_sizes(cell: Cell) -> None:
    """At 24 units and 24 timesteps a bound is less than a hundredth of the gradient."""
    most, expected, found = sharpness(cell, 24, 24)
    assert most < 0.01
    assert share(found, expected) < 0.1
    assert share(found * np.float32(1.1), expected) > 1
