"""The first-order bounds hold for the worst subject that their model allows, and stay sharp where others explode."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bounds import SUMS, Drawn, Sum, draw_layer, run_in_order, worst_ratio

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS, Activation
from rnn_conformance.reference.arithmetic.rounding import Precision, standard_precision, ulp
from rnn_conformance.reference.bounds.first_order import first_order_bound
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.bounds.linear_forms import Recurrence, carried
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.layers.gradients import SLOPES
from rnn_conformance.reference.model.weights import Array, in_float64

COARSE = Precision("float32", 2.0**-11, standard_precision("float32").ulps)
"""Float32 with the products of TF32: errors so large that what is not linear in them counts."""


def bound_of(drawn: Drawn, precision: Precision | None = None, inputs_error: Array | None = None) -> Expected:
    """The first-order bound of a drawn layer, everything in float64 as it asks for."""
    x, initial = drawn.x.astype(np.float64), drawn.initial.astype(np.float64)
    precision = precision or standard_precision(drawn.dtype)
    return first_order_bound(drawn.layer, in_float64(drawn.weights), x, initial, precision, inputs_error)


def worst_subject(
    drawn: Drawn, precision: Precision, unit: int, inputs_error: Array | None = None, share: float = 1 - 2.0**-20
) -> Array:
    """A layer that makes at each step the largest error allowed, each with the sign that moves the last `unit` most.

    Errors are made in float64: of z, gamma_n of the size of its terms, and of a result, as many ULP as its activation
    may be off (a little less, for results that `ulp` rounds up to 1); of the inputs, the whole of `inputs_error`.
    """
    weights, layer = in_float64(drawn.weights), drawn.layer
    activation = ACTIVATIONS[layer.cell.activation]
    x, W, U = drawn.x.astype(np.float64), weights.W, weights.U
    b = np.zeros(layer.units) if weights.b is None else weights.b
    h = bound_of(drawn, precision).value
    slopes = SLOPES[layer.cell.activation](h)
    signs, adjoint = np.empty_like(h), np.zeros_like(h[:, 0])
    adjoint[:, unit] = 1
    for t in reversed(range(h.shape[1])):
        signs[:, t] = np.where(adjoint < 0, -1, 1)
        adjoint = (adjoint * slopes[:, t]) @ U
    rounding = share * precision.gamma(layer.features + layer.units + 3)
    ulps = share * precision.ulps.get(layer.cell.activation, 0)
    before, outputs = drawn.initial.astype(np.float64), []
    for t in range(x.shape[1]):
        x_t, sign = x[:, t], signs[:, t]
        z = x_t @ W.T + before @ U.T + b
        size = np.abs(x_t) @ np.abs(W).T + np.abs(before) @ np.abs(U).T + np.abs(b)
        if inputs_error is not None:  # each unit gets the worst of the box, which no one input could be for all of them
            z = z + sign * (inputs_error[:, t] @ np.abs(W).T)
        before = activation.function(z + sign * rounding * size)
        before = before + sign * ulps * ulp(before, precision.dtype)
        outputs.append(before)
    return np.stack(outputs, axis=1)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("precision", [standard_precision("float32"), COARSE], ids=["float32", "tf32"])
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 6.0])
def test_the_worst_subject_stays_within(scale: float, precision: Precision, activation: str) -> None:
    """All errors of all steps may conspire against one unit, in layers that forget, that last and that are chaotic."""
    rng = np.random.default_rng(int(10 * scale))
    drawn = draw_layer(rng, "float32", activation, (2, 24, 3, 6), scale=scale / 6**0.5)
    expected = bound_of(drawn, precision)
    for unit in (0, 3):
        assert worst_ratio(worst_subject(drawn, precision, unit), expected) <= 1


def test_the_worst_subject_comes_near() -> None:
    """A subject that makes 0.9 of the errors allowed reaches half of the bound: it is no larger than it has to be."""
    shares = []
    for seed in range(5):
        drawn = draw_layer(np.random.default_rng(seed), "float32", "tanh", (1, 50, 3, 6), scale=0.4)
        expected = bound_of(drawn)
        outputs = worst_subject(drawn, standard_precision("float32"), 2, share=0.9)
        shares.append((np.abs(outputs - expected.value) / expected.bound)[0, -1, 2])
    assert min(shares) > 0.5
    assert max(shares) < 0.95


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_inputs_may_be_off_at_their_worst(activation: str) -> None:
    """What comes from the layer below is a box: each element of the inputs off by its error, in the worst direction."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        drawn = draw_layer(rng, "float32", activation, (2, 24, 4, 6), scale=0.4)
        error = 10.0 ** rng.uniform(-6, -3, drawn.x.shape)
        expected = bound_of(drawn, inputs_error=error)
        outputs = worst_subject(drawn, standard_precision("float32"), 1, error)
        assert 0.1 < worst_ratio(outputs, expected) <= 1


@settings(derandomize=True, deadline=None, max_examples=20)
@given(
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    sizes=st.tuples(st.integers(1, 3), st.integers(13, 40), st.integers(1, 9), st.integers(1, 9)),
    scale=st.sampled_from([0.3, 1.0, 2.0]),
    add_up=st.sampled_from(SUMS),
    seed=st.integers(0, 2**32 - 1),
)
def test_right_layers_stay_within(
    dtype: str, activation: str, sizes: tuple[int, int, int, int], scale: float, add_up: Sum, seed: int
) -> None:
    """A right layer in the subject's own dtype never leaves the bound, which is never above the propagated one."""
    rng = np.random.default_rng(seed)
    drawn = draw_layer(rng, dtype, activation, sizes, scale)
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = run_in_order(drawn.x, drawn.weights, activation, drawn.initial, rng, add_up)
    expected, propagated = bound_of(drawn), drawn.propagated_bound()
    np.testing.assert_array_equal(expected.value, propagated.value)
    assert (expected.bound <= propagated.bound).all()
    bounded = np.isfinite(expected.bound)
    assert (np.abs(outputs - expected.value) <= expected.bound)[bounded].all()


@pytest.mark.parametrize(("scale", "most"), [(0.2, 2e-5), (0.5, 5e-4), (1.0, 5e-3)])
def test_it_does_not_explode(scale: float, most: float) -> None:
    """After 60 steps of 8 float32 units it still tells; the propagated one is the width of tanh's range, or soon is."""
    drawn = draw_layer(np.random.default_rng(0), "float32", "tanh", (1, 60, 8, 8), scale)
    assert bound_of(drawn).bound.max() < most
    assert drawn.propagated_bound().bound.max() > 30 * most


def test_a_sharp_bound_is_left_as_it_is() -> None:
    """Where absolute values do not explode, nothing else is computed: every bit is that of the propagated bound."""
    drawn = draw_layer(np.random.default_rng(1), "float32", "tanh", (2, 5, 3, 4), scale=0.1)
    np.testing.assert_array_equal(bound_of(drawn).bound, drawn.propagated_bound().bound)


def test_a_lost_step_of_a_long_sequence_is_caught() -> None:
    """A last output that leaves out the input of 20 steps ago: within the propagated bound, far beyond this one."""
    drawn = draw_layer(np.random.default_rng(2), "float32", "tanh", (1, 60, 8, 8), scale=0.5)
    x = drawn.x.copy()
    x[:, 40] = 0
    wrong = replace(drawn, x=x).propagated_bound().last().value
    for expected, shows in ((bound_of(drawn).last(), True), (drawn.propagated_bound().last(), False)):
        assert (np.abs(wrong - expected.value) > expected.bound).any() == shows


def test_only_what_may_overflow_has_no_bound() -> None:
    """In float16 the propagated bound soon allows for overflow where no sum comes near it; this one does not."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    drawn = draw_layer(rng, "float16", "linear", (1, 60, 3, 8), scale=0.1)
    drawn = replace(drawn, weights=drawn.weights.with_arrays(U=rotation.astype(np.float16)))
    assert np.isinf(drawn.propagated_bound().bound).any()
    assert np.isfinite(bound_of(drawn).bound).all()
    grows = replace(drawn, weights=drawn.weights.with_arrays(U=(1.5 * rotation).astype(np.float16)))
    expected = bound_of(grows)
    assert np.isinf(expected.bound[np.abs(expected.value) > 65_504]).all()


def test_directions_that_were_added_are_judged_to_first_order() -> None:
    """A bidirectional layer that adds its two outputs shows neither, and is judged by this bound of both."""
    drawn = draw_layer(np.random.default_rng(3), "float32", "tanh", (1, 60, 8, 8), scale=0.5)
    layer = replace(drawn.layer, direction="bidirectional", merge="sum")
    weights = in_float64(replace(drawn.weights, backward=drawn.weights))
    x = drawn.x.astype(np.float64)
    expected = expected_layer(layer, weights, x, None, standard_precision("float32"), seen=np.zeros((1, 60, 8)))
    forward = first_order_bound(drawn.layer, in_float64(drawn.weights), x, None, standard_precision("float32"))
    assert (expected.outputs.bound[:, :-10] > forward.bound[:, :-10]).all()
    assert expected.outputs.bound.max() < 3 * forward.bound.max()


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_remainder_bounds_what_is_not_linear(activation: Activation) -> None:
    """From z, no point within reach lies further from the tangent than the remainder."""
    rng = np.random.default_rng(8)
    z = np.concatenate([rng.uniform(-4, 4, 20_000), rng.uniform(-1e-3, 1e-3, 2_000)])
    reach = 10.0 ** rng.uniform(-6, 1, z.size)
    tangent = activation.function(z) + activation.slope(z, np.zeros(())) * (d := reach * rng.uniform(-1, 1, z.size))
    off = np.abs(activation.function(z + d) - tangent)
    remainder = activation.remainder(z, reach)
    assert (off <= remainder + 1e-15).all()
    if activation.name in ("tanh", "sigmoid"):
        small = (reach > 1e-4) & (reach < 0.1) & (np.abs(d) > 0.9 * reach)
        assert (off / remainder)[small].max() > 0.7


class Linear(Recurrence):
    """An error that is linear in all that is added: bounds are the sums of the absolute products, to compare with."""

    def __init__(self, steps: Array, added: Array) -> None:
        self.steps, self.new = steps, added

    def carry(self, t: int, forms: Array, out: Array) -> Array:
        return np.matmul(forms, self.steps[t], out=out)

    def size(self, t: int, errors: Array) -> Array:
        return errors @ np.abs(self.steps[t])

    def added(self, t: int, bound: Array) -> Array:
        return self.new[t]

    def worst(self, t: int) -> Array:
        """The largest error after step t that there can be."""
        product, total = np.eye(self.steps.shape[-1]), np.zeros(self.new.shape[1:])
        for s in reversed(range(t + 1)):
            total = total + self.new[s] @ np.abs(product)
            product = self.steps[s] @ product
        return total


@pytest.mark.parametrize(("gain", "loss"), [(0.5, 1.2), (0.95, 1.4), (1.0, 20)])
def test_forms_add_up_to_the_worst_error(gain: float, loss: float) -> None:
    """Bounds of 120 steps are never below the largest error, and above it only by what goes without a direction."""
    rng = np.random.default_rng(0)
    steps = np.stack([gain * np.linalg.qr(rng.standard_normal((5, 5)))[0] for _ in range(120)])
    recurrence = Linear(steps, rng.uniform(0.1, 1, (120, 2, 5)))
    bounds = carried(recurrence, np.full((120, 2, 5), np.inf))
    for t in (0, 1, 5, 39, 40, 41, 119):
        worst = recurrence.worst(t)
        assert (bounds[t] >= worst).all()
        assert (bounds[t] <= loss * worst).all()


def test_forms_begin_again_from_what_is_known() -> None:
    """Where the forms have exploded, errors go on from the caps: a system that then forgets forgets the explosion."""
    steps = np.concatenate([np.full((30, 1, 1), 3.0), np.full((10, 1, 1), 0.5)])
    bounds = carried(Linear(steps, np.full((40, 1, 1), 1e-3)), np.full((40, 1, 1), 2.0))
    assert bounds.max() == 2
    assert bounds[-1].item() < 0.01
    assert np.isposinf(carried(Linear(steps * 1e200, np.ones((40, 1, 1))), np.full((40, 1, 1), np.inf))[-1]).all()
