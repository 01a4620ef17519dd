"""The bounds hold for right layers in every order of summation, and catch what lies a few ULP beyond them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS, Activation
from rnn_conformance.reference.arithmetic.rounding import gamma, standard_precision, ulp
from rnn_conformance.reference.bounds.steps import Expected, propagated_bound, step_residual
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn, simple_rnn
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import LayerWeights, direction_shapes, in_float64

Array = NDArray[np.floating]
Sum = Callable[[Array, np.random.Generator], Array]

DTYPES = ["float32", "float64"]


def one_by_one(terms: Array, rng: np.random.Generator) -> Array:
    """The sum over the last axis, one term after the other, in an order of its own."""
    return np.add.accumulate(rng.permutation(terms, axis=-1), axis=-1)[..., -1]


def pairwise(terms: Array, rng: np.random.Generator) -> Array:
    """The sum over the last axis, of neighbours, then of neighbouring sums, and so on."""
    terms = rng.permutation(terms, axis=-1)
    while terms.shape[-1] > 1:
        if terms.shape[-1] % 2:
            terms = np.concatenate([terms, np.zeros_like(terms[..., :1])], axis=-1)
        terms = terms[..., ::2] + terms[..., 1::2]
    return terms[..., 0]


SUMS: list[Sum] = [one_by_one, pairwise]


def run_in_order(
    x: Array, weights: LayerWeights, activation: str, initial: Array, rng: np.random.Generator, add_up: Sum
) -> Array:
    """A layer in the dtype of x whose sums are formed by `add_up`: a right subject, of its own kind."""
    h, outputs = initial.astype(x.dtype), []
    for t in range(x.shape[1]):
        terms = [x[:, t, np.newaxis] * weights.W, h[:, np.newaxis] * weights.U]
        if weights.b is not None:
            terms.append(np.broadcast_to(weights.b[:, np.newaxis], (len(x), len(weights.b), 1)))
        h = ACTIVATIONS[activation].function(add_up(np.concatenate(terms, axis=-1), rng))
        outputs.append(h)
    return np.stack(outputs, axis=1)


@dataclass(frozen=True)
class Drawn:
    """One layer with its weights, inputs and initial state, all exact in `dtype`."""

    dtype: str
    layer: Layer
    weights: LayerWeights
    x: Array
    initial: Array

    def step_residual(self, outputs: Array) -> Expected:
        """The step residual, everything in float64 as it asks for."""
        return step_residual(
            self.layer,
            in_float64(self.weights),
            self.x.astype(np.float64),
            outputs.astype(np.float64),
            self.initial.astype(np.float64),
            standard_precision(self.dtype),
        )

    def propagated_bound(self) -> Expected:
        """The propagated bound, everything in float64 as it asks for."""
        return propagated_bound(
            self.layer,
            in_float64(self.weights),
            self.x.astype(np.float64),
            self.initial.astype(np.float64),
            standard_precision(self.dtype),
        )


def draw_layer(
    rng: np.random.Generator,
    dtype: str,
    activation: str,
    sizes: tuple[int, int, int, int] = (2, 6, 5, 4),
    scale: float = 1.0,
    use_bias: bool = True,
) -> Drawn:
    """A random layer; `sizes` are batch, timesteps, features and units."""
    batch, timesteps, features, units = sizes

    def array(*shape: int) -> Array:
        return (scale * rng.standard_normal(shape)).astype(dtype)

    layer = Layer(features, units, SimpleRnn(activation), use_bias)
    weights = LayerWeights({name: array(*shape) for name, shape in direction_shapes(layer).items()})
    x, initial = rng.standard_normal((batch, timesteps, features)), rng.uniform(-1, 1, (batch, units))
    return Drawn(dtype, layer, weights, x.astype(dtype), initial.astype(dtype))


def worst_ratio(outputs: Array, expected: Expected) -> float:
    """The largest error as a share of its bound: at most 1 for a right subject."""
    return float((np.abs(outputs - expected.value) / expected.bound).max())


@settings(derandomize=True, deadline=None, max_examples=80)
@given(
    dtype=st.sampled_from(DTYPES),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 17), st.integers(1, 17)),
    scale=st.sampled_from([0.01, 0.3, 1.0, 2.0]),
    use_bias=st.booleans(),
    add_up=st.sampled_from(SUMS),
    seed=st.integers(0, 2**32 - 1),
)
def test_right_layers_stay_within_both_bounds(
    dtype: str,
    activation: str,
    sizes: tuple[int, int, int, int],
    scale: float,
    use_bias: bool,
    add_up: Sum,
    seed: int,
) -> None:
    """A right layer in the subject's own dtype never leaves the bounds, however its sums are formed."""
    rng = np.random.default_rng(seed)
    drawn = draw_layer(rng, dtype, activation, sizes, scale, use_bias)
    outputs = run_in_order(drawn.x, drawn.weights, activation, drawn.initial, rng, add_up)

    assert worst_ratio(outputs, drawn.step_residual(outputs)) <= 1
    assert worst_ratio(outputs, drawn.propagated_bound()) <= 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_one_element_beyond_the_step_residual_is_caught(dtype: str, activation: str) -> None:
    """Each single element may be moved to half the bound, but not 4 ULP beyond it."""
    rng = np.random.default_rng(0)
    drawn = draw_layer(rng, dtype, activation)
    outputs = run_in_order(drawn.x, drawn.weights, activation, drawn.initial, rng, one_by_one)
    expected = drawn.step_residual(outputs)
    beyond = expected.bound + 4 * ulp(np.abs(expected.value) + expected.bound, dtype)
    for index in np.ndindex(outputs.shape):
        for sign in (-1, 1):
            moved = outputs.copy()
            moved[index] = expected.value[index] + sign * beyond[index]
            judged = drawn.step_residual(moved)
            assert abs(moved[index] - judged.value[index]) > judged.bound[index]

            moved[index] = expected.value[index] + sign * expected.bound[index] / 2
            judged = drawn.step_residual(moved)
            assert abs(moved[index] - judged.value[index]) <= judged.bound[index]


def transposed_recurrence(drawn: Drawn) -> Drawn:
    """U is read the other way round."""
    return replace(drawn, weights=drawn.weights.with_arrays(U=drawn.weights.U.T))


def missing_bias(drawn: Drawn) -> Drawn:
    """The bias is left out."""
    return replace(drawn, weights=drawn.weights.with_arrays(b=None))


def reversed_time(drawn: Drawn) -> Drawn:
    """The sequence is read from its end."""
    return replace(drawn, x=drawn.x[:, ::-1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("fault", [transposed_recurrence, missing_bias, reversed_time])
def test_faults_exceed_both_bounds(dtype: str, activation: str, fault: Callable[[Drawn], Drawn]) -> None:
    """What a wrong layer returns lies outside both bounds of the right one."""
    drawn = draw_layer(np.random.default_rng(2), dtype, activation, scale=0.5)
    wrong = fault(drawn)
    outputs = simple_rnn(wrong.x, wrong.weights.named, activation, wrong.initial)

    assert worst_ratio(outputs, drawn.step_residual(outputs)) > 1
    assert worst_ratio(outputs, drawn.propagated_bound()) > 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_lost_recurrence_shows(dtype: str) -> None:
    """`without_recurrence` is what a layer returns that forgets its state at every step."""
    drawn = draw_layer(np.random.default_rng(3), dtype, "tanh")
    forgetful = replace(drawn, weights=drawn.weights.with_arrays(U=np.zeros_like(drawn.weights.U)))
    expected = drawn.propagated_bound()
    np.testing.assert_allclose(expected.without_recurrence, forgetful.propagated_bound().value, rtol=1e-14)
    assert (np.abs(expected.value - expected.without_recurrence) > expected.bound).all()


def test_last_is_the_last_timestep() -> None:
    """`Expected.last` keeps value, bound and what the value would be without recurrence, at the last timestep."""
    expected = draw_layer(np.random.default_rng(4), "float32", "tanh").propagated_bound()
    last = expected.last()
    np.testing.assert_array_equal(last.value, expected.value[:, -1])
    np.testing.assert_array_equal(last.bound, expected.bound[:, -1])
    np.testing.assert_array_equal(last.without_recurrence, expected.without_recurrence[:, -1])


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    dtype=st.sampled_from(DTYPES),
    activations=st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=2, max_size=3),
    add_up=st.sampled_from(SUMS),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_stack_stays_within_its_bounds(dtype: str, activations: list[str], add_up: Sum, seed: int) -> None:
    """With the bound of the layer below as error of its inputs, each layer of a stack stays within both bounds."""
    rng = np.random.default_rng(seed)
    stack = [draw_layer(rng, dtype, activation, (2, 6, 4, 4), scale=0.7) for activation in activations]
    precision = standard_precision(dtype)
    actual = stack[0].x
    value, error = actual.astype(np.float64), None
    for drawn in stack:
        actual = run_in_order(actual, drawn.weights, drawn.layer.cell.activation, drawn.initial, rng, add_up)
        weights, initial = in_float64(drawn.weights), drawn.initial.astype(np.float64)
        seen = actual.astype(np.float64)
        assert worst_ratio(actual, step_residual(drawn.layer, weights, value, seen, initial, precision, error)) <= 1
        expected = propagated_bound(drawn.layer, weights, value, initial, precision, error)
        assert worst_ratio(actual, expected) <= 1
        value, error = expected.value, expected.bound


@pytest.mark.parametrize("add_up", SUMS)
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_small_integers_are_exact_in_every_order(activation: str, add_up: Sum) -> None:
    """Small integers give the bits of the reference in float32, whatever the order of the sums."""
    rng = np.random.default_rng(5)

    def integers(*shape: int) -> Array:
        return rng.integers(-2, 3, shape).astype(np.float32)

    weights = LayerWeights({"W": integers(4, 7), "U": integers(4, 4), "b": integers(4)})
    x, initial = integers(3, 5, 7), integers(3, 4)
    expected = simple_rnn(x.astype(np.float64), in_float64(weights).named, activation, initial.astype(np.float64))
    assert 100 < np.abs(expected).max() < 2**24
    for _ in range(20):
        np.testing.assert_array_equal(run_in_order(x, weights, activation, initial, rng, add_up), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_flushing_subnormals_stays_within_both_bounds(dtype: str, activation: str) -> None:
    """A subject that reads and writes subnormal numbers as zero is a right one."""
    tiny, rng = np.finfo(dtype).tiny, np.random.default_rng(6)

    def flush(a: Array) -> Array:
        return np.where(np.abs(a) < tiny, a.dtype.type(0), a)

    drawn = draw_layer(rng, dtype, activation)
    # Numbers on both sides of the smallest normal one, so that weights, inputs, products, sums and outputs are flushed.
    small = drawn.weights.map(lambda array: array * tiny)
    for weights, x, initial in [
        (small.with_arrays(U=drawn.weights.U), drawn.x, drawn.initial * tiny),
        (small.with_arrays(U=drawn.weights.U), drawn.x * 1000, drawn.initial * tiny),
        (small.with_arrays(W=drawn.weights.W), drawn.x * tiny, drawn.initial * 1000),
    ]:
        faint = replace(drawn, weights=weights, x=x, initial=initial)
        h, outputs = flush(initial), []
        for t in range(x.shape[1]):
            terms = [flush(x[:, t, np.newaxis]) * flush(weights.W), h[:, np.newaxis] * flush(weights.U)]
            z = flush(weights.b)
            for term in np.moveaxis(flush(np.concatenate(terms, axis=-1)), -1, 0):
                z = flush(z + term)
            h = flush(ACTIVATIONS[activation].function(z))
            outputs.append(h)
        flushed = np.stack(outputs, axis=1)
        assert worst_ratio(flushed, faint.step_residual(flushed)) <= 1
        assert worst_ratio(flushed, faint.propagated_bound()) <= 1


def test_the_step_residual_does_not_grow_with_time() -> None:
    """After 60 steps the propagated bound of an ordinary float32 layer says nothing, and the step residual the same."""
    drawn = draw_layer(np.random.default_rng(0), "float32", "tanh", sizes=(1, 60, 8, 8), scale=0.5)
    outputs = simple_rnn(drawn.x, drawn.weights.named, "tanh", drawn.initial)
    step, propagated = drawn.step_residual(outputs).bound, drawn.propagated_bound().bound
    assert step[:, 30:].max() < 2 * step[:, :30].max() < 1e-4
    assert propagated[:, 0].max() < 1e-5
    assert propagated[:, -1].max() > 1


def test_bounds_of_a_hand_sized_layer() -> None:
    """With one feature and one unit, both bounds are the lines of BOUNDS.md, section 3, worked out by hand."""
    layer = Layer(1, 1, SimpleRnn("linear"))
    weights = LayerWeights({"W": np.array([[2.0]]), "U": np.array([[-0.5]]), "b": np.array([1.0])})
    x, initial, precision = np.array([[[3.0], [3.0]]]), np.array([[4.0]]), standard_precision("float32")
    gammas = gamma(5, 2.0**-24) + gamma(5, 2.0**-53)
    first = gammas * (2 * 3 + 0.5 * 4 + 1)
    second = gammas * (2 * 3 + 0.5 * 5 + 1)

    expected = propagated_bound(layer, weights, x, initial, precision)
    assert expected.value.ravel().tolist() == [2 * 3 - 0.5 * 4 + 1, 2 * 3 - 0.5 * 5 + 1]
    assert expected.bound.ravel().tolist() == pytest.approx(
        [first, second + (1 + gamma(5, 2.0**-24)) * 0.5 * first], rel=1e-8
    )

    outputs = np.array([[[5.0], [4.0]]])  # the second is wrong; only the bound matters here
    expected = step_residual(layer, weights, x, outputs, initial, precision)
    assert expected.value.ravel().tolist() == [5, 4.5]
    assert expected.bound.ravel().tolist() == pytest.approx([first, second], rel=1e-8)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_inputs_may_be_off_by_their_error(activation: str) -> None:
    """Inputs within `inputs_error` of the given ones keep a subject within both bounds; inputs far beyond do not."""
    rng = np.random.default_rng(10)
    drawn = draw_layer(rng, "float64", activation, scale=0.3)
    error = 10.0 ** rng.uniform(-6, -2, drawn.x.shape)
    for reach, inside in ((1, True), (20, False)):
        # The corner of the box that moves the first unit most.
        x = drawn.x + reach * error * np.sign(drawn.weights.W[0])
        outputs = simple_rnn(x, drawn.weights.named, activation, drawn.initial)
        arguments = (drawn.initial, standard_precision("float64"), error)
        step = step_residual(drawn.layer, drawn.weights, drawn.x, outputs, *arguments)
        propagated = propagated_bound(drawn.layer, drawn.weights, drawn.x, *arguments)
        assert (worst_ratio(outputs, step) <= 1) == inside
        assert (worst_ratio(outputs, propagated) <= 1) == inside


def test_a_bound_that_overflows_is_infinite() -> None:
    """The bound of a layer whose error may grow beyond all numbers is infinity, never NaN."""
    rotation = np.array([[0.6, -0.8], [0.8, 0.6]]) * 2
    weights = LayerWeights({"W": np.zeros((2, 1)), "U": rotation})
    layer = Layer(1, 2, SimpleRnn("linear"), use_bias=False)
    x, initial = np.zeros((1, 950, 1)), np.ones((1, 2))
    expected = propagated_bound(layer, weights, x, initial, standard_precision("float64"))
    assert np.isfinite(expected.value).all()
    assert expected.bound[0, -1].tolist() == [np.inf, np.inf]
    assert not np.isnan(expected.bound).any()


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_slope_bounds_every_difference_quotient(activation: Activation) -> None:
    """No two points within the radius differ by more than slope times their distance."""
    rng = np.random.default_rng(8)
    z = rng.uniform(-8, 8, 20_000)
    radius = 10.0 ** rng.uniform(-3, 1, z.size)
    one, other = (z + radius * rng.uniform(-1, 1, z.size) for _ in range(2))
    slope, function = activation.slope(z, radius), activation.function
    assert (np.abs(function(one) - function(other)) <= slope * np.abs(one - other) + 1e-15).all()


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="long double is no wider than float64 here")
def test_the_reference_activation_is_as_accurate_as_it_says(name: str) -> None:
    """In float64 the reference's tanh and sigmoid are within `reference_ulps` of long double (BOUNDS.md, section 5)."""
    rng = np.random.default_rng(9)
    count = 60_000
    z = np.concatenate(
        [
            rng.uniform(-2, 2, count),
            rng.uniform(-40, 40, count),
            rng.uniform(-708, 708, count),
            10.0 ** rng.uniform(-300, 2, count) * rng.choice([-1, 1], count),
        ]
    )
    wide = z.astype(np.longdouble)
    e = np.exp(-np.abs(wide))
    exact = np.tanh(wide) if name == "tanh" else np.where(wide >= 0, 1, e) / (1 + e)
    error = np.abs(ACTIVATIONS[name].function(z) - exact) / ulp(exact, "float64")
    assert 0.3 < error.max() <= ACTIVATIONS[name].reference_ulps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_sigmoid_and_tanh_saturate(name: str, dtype: str) -> None:
    """Beyond saturation the activations are exactly at their limits, and tanh is 0 at 0."""
    activation = ACTIVATIONS[name]
    z = np.array([-1e4, 0, 1e4], dtype)
    assert activation.function(z).tolist() == [activation.low, (activation.low + activation.high) / 2, activation.high]


def test_gamma_counts_roundings() -> None:
    """gamma_n is n u and a little more, and has no value once n u reaches 1."""
    assert 8 * 2.0**-24 < gamma(8, 2.0**-24) < 8.00001 * 2.0**-24
    with pytest.raises(ValueError, match="256 roundings with unit roundoff"):
        gamma(256, 2.0**-8)


@pytest.mark.parametrize(
    ("value", "dtype", "spacing"),
    [(1.0, "float32", 2.0**-23), (-1.5, "float32", 2.0**-23), (0.75, "float64", 2.0**-53), (0.0, "float32", 2.0**-149)],
)
def test_ulp(value: float, dtype: str, spacing: float) -> None:
    """The ULP of a number is its distance to the next larger one, in float64."""
    result = ulp(np.array(value), dtype)
    assert result == spacing
    assert result.dtype == np.float64
