"""Half precision whose sums are float32: their bounds (BOUNDS.md, section 6), and the check that asks for them."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_conformance.adapters.numpy.adapter import adapter
from rnn_conformance.conformance.cases.wiring import Gate, shown_gate, wired
from rnn_conformance.conformance.checks import test_types as types
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.cells import adapter_of, cell_of
from rnn_conformance.conformance.selftest.trials import check_of, failure_of
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.rounding import dtype_of, standard_precision, wider_sums
from rnn_conformance.reference.bounds.gradients import expected_gradients
from rnn_conformance.reference.bounds.steps import propagated_bound, step_residual
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

HALVES = ("float16", "bfloat16")


def flushed(array: Array, dtype: str) -> Array:
    """What is stored in the dtype where subnormal numbers are flushed, in float32."""
    stored = array.astype(dtype_of(dtype)).astype(np.float32)
    return np.where(np.abs(stored) < standard_precision(dtype).tiny, np.float32(0), stored)


def stored_four_times(x: Array, weights: LayerWeights, activation: str, dtype: str) -> Array:
    """A layer that adds up in float32, and rounds to the dtype wherever that is allowed."""
    W, U, b = (flushed(a, dtype) for a in (weights.W, weights.U, weights.b))
    h = np.zeros((len(x), len(U)), np.float32)
    outputs = []
    for t in range(x.shape[1]):
        z = flushed(flushed(flushed(x[:, t], dtype) @ W.T, dtype) + b, dtype)
        h = flushed(ACTIVATIONS[activation].function(flushed(z + h @ U.T, dtype)), dtype)
        outputs.append(h)
    return np.stack(outputs, axis=1).astype(np.float64)


@pytest.mark.parametrize("scale", [0.02, 1])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", HALVES)
def test_right_layers_stay_within_their_bounds(dtype: str, activation: str, scale: float) -> None:
    """Also where everything is rounded and flushed as often as may be, and numbers are so small that this counts."""
    layer, precision = Layer(5, 7, SimpleRnn(activation)), wider_sums(dtype)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        draws = (scale * rng.standard_normal(shape) for shape in ((7, 5), (7, 7), (7,), (3, 6, 5)))
        W, U, b, x = (a.astype(dtype_of(dtype)).astype(np.float64) for a in draws)
        weights = LayerWeights({"W": W, "U": U, "b": b})
        outputs = stored_four_times(x.astype(np.float32), weights, activation, dtype)
        for expected in (
            step_residual(layer, weights, x, outputs, None, precision),
            propagated_bound(layer, weights, x, None, precision),
        ):
            assert (np.abs(outputs - expected.value) <= expected.bound).all()


@pytest.mark.parametrize("dtype", HALVES)
def test_the_bound_of_wider_sums_is_much_smaller(dtype: str) -> None:
    """A layer of 64 features is judged at least five times as sharply where its sums are float32."""
    rng = np.random.default_rng(0)
    layer, x = Layer(64, 64, SimpleRnn("linear")), rng.standard_normal((1, 1, 64))
    weights = LayerWeights({"W": rng.standard_normal((64, 64)), "U": np.zeros((64, 64)), "b": np.zeros(64)})
    wide, narrow = (
        propagated_bound(layer, weights, x, None, p) for p in (wider_sums(dtype), standard_precision(dtype))
    )
    assert (5 * wide.bound < narrow.bound).all()


def test_gradients_may_be_added_up_in_the_dtype() -> None:
    """A framework may add to the gradient of W at each timestep, and round it: wider sums say nothing of that."""
    timesteps, small = 100, 2.0**-8
    architecture = Architecture((Layer(1, 1, SimpleRnn("linear"), use_bias=False),), dtype="bfloat16")
    weights = Weights((LayerWeights({"W": np.ones((1, 1)), "U": np.zeros((1, 1))}),))
    cotangent = np.full((1, timesteps, 1), small)
    cotangent[0, 0] = 1
    added = np.cumsum(cotangent[0, :, 0].astype(dtype_of("bfloat16")), dtype=dtype_of("bfloat16"))[-1]
    assert added == 1  # all others are lost
    x = np.ones((1, timesteps, 1))
    expected = expected_gradients(architecture, weights, x, Output(cotangent), None, wider_sums("bfloat16"))[
        "layers[0].W"
    ]
    assert abs(1 - expected.value) <= expected.bound < np.inf


@pytest.mark.parametrize("dtype", HALVES)
def test_an_adapter_is_held_to_what_it_declares(dtype: str) -> None:
    """NumPy adds up in float32, as declared; a layer that declares it and adds up in its own type fails."""
    right = check_of("right", Subject(adapter), dtype, "smoke", 0)
    assert failure_of(right, types.test_wider_sums) is None
    assert right.evidence.discriminating >= 8
    wrong = check_of("wrong", Subject(catalogue()["half-added-in-half"].adapter()), dtype, "smoke", 0)
    assert isinstance(failure_of(wrong, types.test_wider_sums), NonConforming)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_each_gate_is_held_to_it(kind: str) -> None:
    """In every case of a sound cell a sum that lost its small terms would show, whichever gate it is of."""
    right = check_of("right", Subject(adapter), "bfloat16", "smoke", 1, kind)
    assert failure_of(right, types.test_wider_sums_of_gates) is None
    assert right.evidence.discriminating == right.evidence.examples == len(right.cells[0].gates)


@pytest.mark.parametrize("name", ["output-gate-added-in-half", "reset-gate-added-in-half"])
def test_one_gate_that_adds_up_in_its_own_type_is_noticed(name: str) -> None:
    """All other gates of these mutants add up as declared."""
    fault = catalogue()[name]
    wrong = check_of("wrong", Subject(adapter_of(fault)), "bfloat16", "smoke", 0, cell_of(fault))
    assert isinstance(failure_of(wrong, types.test_wider_sums_of_gates), NonConforming)


@pytest.mark.parametrize(("cell", "gates"), [(Lstm(), "ifgo"), (Gru(), "zrn"), (Gru(reset="before"), "zrn")])
def test_what_is_shown_follows_one_gate(cell: Cell, gates: str) -> None:
    """With each gate in turn watched, what it reads moves the output, whatever the others would read."""
    layer = Layer(1, 1, cell)
    for gate in gates:
        read, start = shown_gate(cell, gate, 0.5)
        state = ((tuple(np.full((1, 1), number) for number in start),),)
        architecture = Architecture((layer,), dtype="float64")
        shown = [
            network.run(
                architecture,
                Weights((wired(layer, {**read, gate: Gate(W=W)}, "float64"),)),
                np.full((1, 1, 1), 0.5),
                state,
                choices=Choices(),
            ).outputs.item()
            for W in (-1.0, 0.0, 1.0)
        ]
        assert np.abs(np.diff(shown)).min() > 0.05
