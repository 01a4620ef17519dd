"""Gradients of every cell: against finite differences, within their bounds in float32, and wrong ones beyond them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from any_order import gradients_in_any_order
from test_cell_bounds import CELLS, draw, share

from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.bounds.gradients import expected_gradients
from rnn_conformance.reference.bounds.jacobians import expected_jacobian_norm, jacobian_norms, norm
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.layers.network import run
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State, each_state, state_arrays, state_of, state_shapes
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, weight_shapes

Named = dict[str, Array]
MASK = np.array([[1, 1, 0, 1, 1, 0], [0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]], bool)


def stack(*cells: Cell, direction: str = "forward", merge: str = "concat", dtype: str = "float64") -> Architecture:
    """Layers of these cells, the last of which may have two directions."""
    widths = [3, *(4 + k for k in range(len(cells)))]
    layers = [Layer(a, b, cell) for a, b, cell in zip(widths[:-1], widths[1:], cells, strict=True)]
    layers[-1] = replace(layers[-1], direction=direction, merge=merge)
    return Architecture(tuple(layers), dtype=dtype, return_state=True)


class Drawn:
    """A model with its numbers, exact in its dtype, and cotangents of all that it returns."""

    def __init__(self, architecture: Architecture, seed: int = 0, scale: float = 0.5) -> None:
        rng = np.random.default_rng(seed)
        self.architecture, dtype = architecture, architecture.dtype

        def numbers(shape: tuple[int, ...]) -> Array:
            return (scale * rng.standard_normal(shape)).astype(dtype)

        self.weights = Weights.of({name: numbers(shape) for name, shape in weight_shapes(architecture).items()})
        self.x = 2 * numbers((3, 6, 3))
        shapes = state_shapes(architecture, (3,))
        self.initial: State = tuple(tuple(tuple(map(numbers, parts)) for parts in layer) for layer in shapes)  # type: ignore[arg-type]
        final: State = tuple(tuple(tuple(map(numbers, parts)) for parts in layer) for layer in shapes)  # type: ignore[arg-type]
        self.cotangent = Output(numbers((3, 6, architecture.layers[-1].width)), final)

    def gradients(self, **how: object) -> Named:
        """All gradients by name."""
        found = gradients(self.architecture, self.weights, self.x, self.cotangent, self.initial, **how)  # type: ignore[arg-type]
        return dict(found.arrays())

    def loss(self, arrays: Named, **how: object) -> float:
        """L, of which they are the gradients, where these arrays are in the place of those by name."""
        out = run(
            self.architecture,
            Weights.of(arrays),
            arrays["inputs"],
            state_of("initial_state", arrays),
            **how,  # type: ignore[arg-type]
        )
        total = float((out.outputs * self.cotangent.outputs).sum())
        assert out.final_state is not None
        assert self.cotangent.final_state is not None
        for layers, d_layers in zip(out.final_state, self.cotangent.final_state, strict=True):
            for parts, d_parts in zip(layers, d_layers, strict=True):
                total += sum(float((part * d).sum()) for part, d in zip(parts, d_parts, strict=True))
        return total

    def arrays(self) -> Named:
        """All that the gradients are of, by the same names."""
        return {
            **dict(self.weights.arrays()),
            "inputs": self.x,
            **dict(state_arrays("initial_state", self.initial)),
        }

    def expected(self, **how: object) -> dict[str, Expected]:
        """The gradients with their bounds."""
        return expected_gradients(
            self.architecture,
            self.weights.map(lambda array: array.astype(np.float64)),
            self.x.astype(np.float64),
            self.cotangent,
            each_state(lambda array: array.astype(np.float64), self.initial),
            standard_precision(self.architecture.dtype),
            **how,  # type: ignore[arg-type]
        )


MIXED = [
    stack(Lstm(), Gru(), SimpleRnn(), direction="bidirectional"),
    stack(Gru(), Lstm(), direction="bidirectional", merge="mul"),
    stack(Lstm(), direction="backward"),
]
MODELS = [*(stack(cell) for cell in CELLS), *MIXED]
PADDED = ["", "zero", "repeat", "continue"]
PADDED_MODELS = [(model, padded) for model in MODELS for padded in (PADDED if model in MIXED else ("", "repeat"))]
"""What becomes of padded timesteps is no matter of the cell: every choice comes with some models."""


@pytest.mark.parametrize(("architecture", "padded_outputs"), PADDED_MODELS, ids=str)
def test_gradients_are_those_of_finite_differences(architecture: Architecture, padded_outputs: str) -> None:
    """Along a random direction of each array, L changes as its gradient says, also under a mask."""
    drawn = Drawn(architecture)
    how = {"mask": MASK, "choices": Choices(padded_outputs)} if padded_outputs else {}
    arrays, found = drawn.arrays(), drawn.gradients(**how)
    assert found.keys() == arrays.keys()
    rng = np.random.default_rng(1)
    for name, array in arrays.items():
        step = 1e-5 * rng.standard_normal(array.shape)
        up, down = (drawn.loss({**arrays, name: array + sign * step}, **how) for sign in (1, -1))
        assert (up - down) / 2 == pytest.approx(float((found[name] * step).sum()), rel=1e-5, abs=1e-12), name


@pytest.mark.slow
@pytest.mark.parametrize("padded_outputs", PADDED)
@pytest.mark.parametrize("architecture", MODELS, ids=str)
def test_right_gradients_stay_within_their_bounds(architecture: Architecture, padded_outputs: str) -> None:
    """Gradients computed in float32 are within the bounds, which are not so wide that nothing could exceed them."""
    how = {"mask": MASK, "choices": Choices(padded_outputs)} if padded_outputs else {}
    for seed in range(2):
        drawn = Drawn(replace(architecture, dtype="float32"), seed)
        found, expected = drawn.gradients(**how), drawn.expected(**how)
        assert found.keys() == expected.keys()
        for name, wanted in expected.items():
            assert share(found[name], wanted) <= 1, name
            assert (wanted.bound < 0.3 * np.abs(wanted.value).max()).all() or not wanted.value.any(), name


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_gradients_in_any_order_stay_within_their_bounds(cell: Cell, dtype: str) -> None:
    """So are those of a subject that forms each sum in an order of its own, and each slope in one of its forms."""
    for seed, scale in enumerate((0.2, 1.0)):
        rng = np.random.default_rng(seed)
        drawn = draw(rng, cell, dtype, (2, 5, 3, 4), scale)
        d_outputs = rng.standard_normal((2, 5, cell.widths(4)["h"])).astype(dtype)
        found = gradients_in_any_order(cell, drawn.weights, drawn.x, drawn.initial, d_outputs, rng)
        weights, x, initial = drawn.wide()
        expected = expected_gradients(
            Architecture((Layer(3, 4, cell),), dtype=dtype),
            Weights((LayerWeights(weights),)),
            x,
            Output(d_outputs),
            ((tuple(initial),),),
            standard_precision(dtype),
        )
        assert found.keys() == expected.keys()
        for name, wanted in expected.items():
            assert share(found[name], wanted) <= 1, name


def gate_rows(name: str, gate: int, change: Callable[[Array], Array]) -> Callable[[Named], Named]:
    """The gradient of one gate's rows is changed."""

    def wrong(found: Named) -> Named:
        rows = np.split(found[name].copy(), 4 if len(found[name]) == 16 else 3)
        rows[gate] = change(rows[gate])
        return {**found, name: np.concatenate(rows)}

    return wrong


@pytest.mark.parametrize("cell", [Lstm(), Lstm(recurrent_bias="all"), Gru(), Gru(reset="before")], ids=str)
def test_wrong_gradients_leave_their_bounds(cell: Cell) -> None:
    """A gradient of one gate that is doubled, or lost, or taken of the transposed kernel, is beyond its bound."""
    drawn = Drawn(replace(stack(cell), dtype="float32"))
    found, expected = drawn.gradients(), drawn.expected()
    for name in (name for name in found if name.startswith("layers")):
        for gate in range(len(cell.gates)):
            for change in (lambda rows: 2 * rows, lambda rows: 0 * rows, lambda rows: rows[::-1]):
                wrong = gate_rows(name, gate, change)(found)
                assert share(wrong[name], expected[name]) > 10, (name, gate)


@pytest.mark.parametrize("cell", [Lstm(), Gru()], ids=str)
def test_a_lost_recurrence_shows(cell: Cell) -> None:
    """`without_recurrence` is the gradient in a layer that passes none from a timestep to the one before."""
    drawn = Drawn(replace(stack(cell), dtype="float32"))
    for name, wanted in drawn.expected().items():
        assert (np.abs(wanted.value - wanted.without_recurrence) > wanted.bound).any(), name


# Products of Jacobians


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", [Lstm(), Lstm(forget_bias=3.0), Gru(), Gru(reset="before", keep="1-z")], ids=str)
def test_norms_of_jacobians_of_the_whole_state(cell: Cell, dtype: str) -> None:
    """Gradients of all parts of the initial state, found in the dtype, have a norm within its bound for each lag."""
    rng = np.random.default_rng(7)
    units, layer = 5, Layer(3, 5, cell)
    named = {name: rng.standard_normal(shape) for name, shape in cell.shapes(3, units, True).items()}
    weights = LayerWeights({name: (0.4 * array).astype(dtype) for name, array in named.items()})
    architecture = Architecture((layer,), dtype=dtype, return_state=True)
    count = len(cell.parts) * units
    for lag in (1, 3, 40):
        x = rng.standard_normal((lag, 3)).astype(dtype)
        initial = [np.zeros(units, dtype) for _ in cell.parts]
        parts = tuple(np.split(np.eye(count, dtype=dtype), len(cell.parts), axis=1))
        found = gradients(
            architecture,
            Weights((weights,)),
            np.repeat(x[np.newaxis], count, axis=0),
            Output(np.zeros((count, lag, units), dtype), ((parts,),)),
            ((tuple(np.zeros((count, units), dtype) for _ in parts),),),
        )
        assert found.initial_state is not None
        actual = norm(np.concatenate(found.initial_state[0][0], axis=1).astype(np.float64))
        wide = weights.map(lambda array: array.astype(np.float64)), x.astype(np.float64)
        expected = expected_jacobian_norm(layer, *wide, initial, standard_precision(dtype))
        assert abs(actual - expected.value) <= expected.bound < 0.01 * expected.value
        np.testing.assert_allclose(jacobian_norms(layer, *wide, [lag]), expected.value, rtol=1e-9)
