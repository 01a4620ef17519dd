"""The bounds of whole layers: under masks, in both directions, and in half precision (BOUNDS.md, sections 6 and 7)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_bounds import draw_layer

from rnn_conformance.reference.arithmetic.rounding import Precision, gamma, standard_precision
from rnn_conformance.reference.bounds.layers import expected_last, expected_layer
from rnn_conformance.reference.bounds.steps import Expected, propagated_bound, step_residual
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.layer import run_layer
from rnn_conformance.reference.model.architecture import Choices, Layer
from rnn_conformance.reference.model.states import LayerState
from rnn_conformance.reference.model.weights import Array, LayerWeights, in_float64

FLOAT32 = standard_precision("float32")
MASK = np.array([[0, 1, 0, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 0, 0, 0]], bool)


def bidirectional(merge: str = "concat") -> tuple[Layer, LayerWeights, Array]:
    """A layer of two directions, all numbers exact in float32, and its inputs (3, 7, 5)."""
    rng = np.random.default_rng(0)
    forward, backward = (draw_layer(rng, "float32", "tanh", (3, 7, 5, 4), scale=0.4) for _ in range(2))
    weights = replace(in_float64(forward.weights), backward=in_float64(backward.weights))
    layer = replace(forward.layer, direction="bidirectional", merge=merge)
    return layer, weights, forward.x.astype(np.float64)


def in_float32(weights: LayerWeights) -> LayerWeights:
    """The same weights, narrowed, both directions."""
    return weights.map(lambda array: array.astype(np.float32))


def within(actual: Array, expected: Expected) -> bool:
    return bool((np.abs(actual - expected.value) <= expected.bound).all())


@pytest.mark.parametrize("padded_outputs", ["zero", "repeat", "continue"])
@pytest.mark.parametrize("seen", [True, False], ids=["step residual", "propagated"])
@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave"])
def test_a_right_layer_stays_within(merge: str, seen: bool, padded_outputs: str) -> None:
    """Outputs, final states and last output in float32 are within the bounds, and not by a mile."""
    layer, weights, x = bidirectional(merge)
    how = Choices(padded_outputs)
    outputs, final = run_layer(layer, in_float32(weights), x.astype(np.float32), None, MASK, how)
    own = outputs.astype(np.float64) if seen else None
    expected = expected_layer(layer, weights, x, None, FLOAT32, mask=MASK, choices=how, seen=own)
    assert within(outputs, expected.outputs)
    for (h,), (wanted,) in zip(final, expected.final, strict=True):
        assert within(h, wanted)
        assert not within(h + np.float32(1e-4), wanted)
    last = expected_last(layer, expected, FLOAT32)
    assert last.value.shape == (3, layer.width)
    assert (last.bound < 1e-3).all()


@pytest.mark.parametrize("backward_outputs", ["aligned", "processing"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_padded_outputs_are_exact(direction: str, backward_outputs: str) -> None:
    """A zero has bound 0, and so has a repetition of the subject's own output, whatever that may be."""
    layer, weights, x = bidirectional()
    layer, weights = replace(layer, direction=direction), replace(weights, backward=None)
    reverses = direction == "backward" and backward_outputs == "processing"
    padded = ~(MASK[:, ::-1] if reverses else MASK)
    own = np.random.default_rng(1).uniform(-1, 1, (3, 7, 4))

    zero = expected_layer(
        layer,
        weights,
        x,
        None,
        FLOAT32,
        mask=MASK,
        choices=Choices("zero", backward_outputs=backward_outputs),
        seen=own,
    ).outputs
    assert not zero.value[padded].any()
    assert not zero.bound[padded].any()
    assert zero.bound[~padded].all()

    repeat = expected_layer(
        layer,
        weights,
        x,
        None,
        FLOAT32,
        mask=MASK,
        choices=Choices("repeat", backward_outputs=backward_outputs),
        seen=own,
    ).outputs
    backwards = direction == "backward" and backward_outputs == "aligned"
    for row in range(3):
        before = np.zeros(4)
        for t in range(7)[:: -1 if backwards else 1]:
            if padded[row, t]:
                np.testing.assert_array_equal(repeat.value[row, t], before)
                assert not repeat.bound[row, t].any()
            else:
                before = own[row, t]


def test_what_is_passed_over_adds_no_error() -> None:
    """The bound at the last valid timestep is that of a sequence of the valid timesteps alone."""
    layer, weights, x = bidirectional()
    layer, weights = replace(layer, direction="forward"), replace(weights, backward=None)
    expected = expected_layer(layer, weights, x[:1], None, FLOAT32, mask=MASK[:1])
    alone = propagated_bound(layer, weights, x[:1, MASK[0]], None, FLOAT32).last()
    ((final,),) = expected.final
    np.testing.assert_array_equal(final.value, alone.value)
    np.testing.assert_array_equal(final.bound, alone.bound)


@pytest.mark.parametrize("initial", [None, ((np.full((1, 4), 0.5),), (np.full((1, 4), -0.5),))])
def test_nothing_valid(initial: LayerState | None) -> None:
    """Without a valid timestep the final states are the initial ones, exactly."""
    layer, weights, x = bidirectional()
    expected = expected_layer(layer, weights, x[:1], initial, FLOAT32, mask=np.zeros((1, 7), bool))
    for j, (final,) in enumerate(expected.final):
        np.testing.assert_array_equal(final.value, np.zeros((1, 4)) if initial is None else initial[j][0])
        assert not final.bound.any()


def test_after_what_is_not_finite_there_is_no_bound() -> None:
    """An output that is not finite has a bound, and the one after it has none."""
    layer, weights, x = bidirectional()
    own = np.zeros((3, 7, 4))
    own[1, 2, 0] = np.nan
    own[2, 3, 0] = np.inf
    expected = step_residual(layer, weights, x, own, None, FLOAT32)
    assert np.argwhere(np.isinf(expected.bound).all(-1)).tolist() == [[1, 3], [2, 4]]
    assert np.isfinite(expected.value).all()


def test_a_mean_of_two_is_as_sharp_as_its_parts() -> None:
    """The bound of a mean is that of its parts, joined, and one rounding: not that of their sum."""
    bounds = {}
    for merge in ("sum", "ave", "mul"):
        layer, weights, x = bidirectional(merge)
        bounds[merge] = expected_layer(layer, weights, x, None, FLOAT32).outputs.bound
    assert (bounds["ave"] < 0.7 * bounds["sum"]).all()
    assert (bounds["mul"] < bounds["sum"]).all()


# Half precision


def test_gamma_of_a_precision() -> None:
    """n roundings of the sums and, where these are wider than the dtype, four to the dtype; infinite where n u >= 1."""
    assert standard_precision("bfloat16").gamma(10) == gamma(10, 2.0**-8)
    assert standard_precision("bfloat16").gamma(256) == np.inf
    wider = Precision("bfloat16", 2.0**-24).gamma(1000)
    assert gamma(4, 2.0**-8) < wider < 1.01 * gamma(4, 2.0**-8)
    assert Precision("float32", 2.0**-11).gamma(10) == gamma(10, 2.0**-11)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_no_bound(activation: str) -> None:
    """Where roundings have no bound, neither have outputs: infinity, never NaN."""
    layer = Layer(300, 2, SimpleRnn(activation))
    weights = LayerWeights({"W": np.zeros((2, 300)), "U": np.zeros((2, 2)), "b": np.zeros(2)})
    x = np.zeros((1, 3, 300))
    for expected in (
        step_residual(layer, weights, x, np.zeros((1, 3, 2)), None, standard_precision("bfloat16")),
        propagated_bound(layer, weights, x, None, standard_precision("bfloat16")),
    ):
        assert np.isposinf(expected.bound).all()


def test_what_may_overflow_has_no_bound() -> None:
    """From the timestep on at which a partial sum may exceed 65,504, float16 has no bound."""
    layer = Layer(1, 1, SimpleRnn("relu"), use_bias=False)
    weights = LayerWeights({"W": np.ones((1, 1)), "U": np.full((1, 1), 16.0)})
    expected = propagated_bound(layer, weights, np.ones((1, 8, 1)), None, standard_precision("float16"))
    exceeds = expected.value[0, :, 0] > 65_504
    assert exceeds.any()
    assert not exceeds.all()
    np.testing.assert_array_equal(np.isinf(expected.bound[0, :, 0]), exceeds)


def test_storing_a_wider_sum_rounds() -> None:
    """A linear layer that computes in float32 and stores float16 may lose an ULP of float16."""
    layer = Layer(1, 1, SimpleRnn("linear"), use_bias=False)
    weights = LayerWeights({"W": np.ones((1, 1)), "U": np.zeros((1, 1))})
    expected = propagated_bound(layer, weights, np.ones((1, 1, 1)), None, Precision("float16", 2.0**-24))
    assert expected.bound.item() > np.finfo(np.float16).eps
