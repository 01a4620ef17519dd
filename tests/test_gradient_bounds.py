"""The bounds of gradients hold for right backpropagation in every order of summation, and catch what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bounds import SUMS, Drawn, Sum, draw_layer, one_by_one, run_in_order

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.bounds.gradients import expected_gradients
from rnn_conformance.reference.bounds.jacobians import expected_jacobian_norm, jacobian_norms, norm
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, in_float64

FORMS: dict[str, list[Callable[[Array, Array], Array]]] = {
    "tanh": [
        lambda g, h: g * (1 - h * h),
        lambda g, h: g * ((1 - h) * (1 + h)),
        lambda g, h: (g + g * h) * (1 - h),
    ],
    "sigmoid": [
        lambda g, h: g * (h * (1 - h)),
        lambda g, h: g * (1 - h) * h,
        lambda g, h: g * (h - h * h),
    ],
    "relu": [lambda g, h: np.where(h > 0, g, g.dtype.type(0))],
    "linear": [lambda g, h: g],
}
"""d_z from d_h and h, as frameworks write it."""

Named = dict[str, Array]


def gradients_in_order(drawn: Drawn, d_h: Array, rng: np.random.Generator, add_up: Sum, form: int = 0) -> Named:
    """Backpropagation in the dtype of the layer, whose sums are formed by `add_up`: right, of its own kind."""
    weights, x, activation = drawn.weights, drawn.x, drawn.layer.cell.activation
    slope = FORMS[activation][form % len(FORMS[activation])]
    h = run_in_order(x, weights, activation, drawn.initial, rng, add_up)
    before = np.concatenate([drawn.initial[:, np.newaxis], h[:, :-1]], axis=1)
    d_z = np.empty_like(h)
    for t in reversed(range(h.shape[1])):
        terms = d_h[:, t, :, np.newaxis]
        if t + 1 < h.shape[1]:
            terms = np.concatenate([terms, d_z[:, t + 1, np.newaxis] * weights.U.T], axis=-1)
        d_z[:, t] = slope(add_up(terms, rng), h[:, t])

    def over_time(factor: Array) -> Array:
        return np.moveaxis(d_z[..., np.newaxis] * factor[:, :, np.newaxis], (0, 1), (-2, -1))

    found = {
        "layers[0].W": add_up(over_time(x).reshape(*weights.W.shape, -1), rng),
        "layers[0].U": add_up(over_time(before).reshape(*weights.U.shape, -1), rng),
        "inputs": add_up(d_z[:, :, np.newaxis] * weights.W.T, rng),
        "initial_state[0]": add_up(d_z[:, 0, np.newaxis] * weights.U.T, rng),
    }
    if weights.b is not None:
        found["layers[0].b"] = add_up(np.moveaxis(d_z, -1, 0).reshape(len(weights.b), -1), rng)
    return found


def expected_of(drawn: Drawn, d_h: Array) -> dict[str, Expected]:
    """The bounds of the gradients of one layer, of which all outputs are returned."""
    return expected_gradients(
        Architecture((drawn.layer,), dtype=drawn.dtype),
        Weights((in_float64(drawn.weights),)),
        drawn.x,
        Output(d_h),
        (((drawn.initial.astype(np.float64),),),),
        standard_precision(drawn.dtype),
    )


def worst(found: Named, expected: dict[str, Expected]) -> float:
    """The largest error of all gradients as a share of its bound."""
    assert found.keys() == expected.keys()
    shares = []
    for name, wanted in expected.items():
        error = np.abs(found[name] - wanted.value)
        shares.append(np.divide(error, wanted.bound, out=np.zeros_like(error), where=error > 0).max())
    return float(max(shares))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 9), st.integers(1, 9)),
    scale=st.sampled_from([0.01, 0.3, 1.0]),
    use_bias=st.booleans(),
    add_up=st.sampled_from(SUMS),
    form=st.integers(0, 2),
    seed=st.integers(0, 2**32 - 1),
)
def test_right_gradients_stay_within_their_bounds(
    dtype: str,
    activation: str,
    sizes: tuple[int, int, int, int],
    scale: float,
    use_bias: bool,
    add_up: Sum,
    form: int,
    seed: int,
) -> None:
    """Backpropagation in the subject's own dtype never leaves the bounds, however sums and slopes are written."""
    rng = np.random.default_rng(seed)
    drawn = draw_layer(rng, dtype, activation, sizes, scale, use_bias)
    d_h = rng.standard_normal((*sizes[:2], sizes[3])).astype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # float16 overflows in relu and linear, and has no bound there
        found = gradients_in_order(drawn, d_h, rng, add_up, form)
    expected = expected_of(drawn, d_h)
    for name, wanted in expected.items():
        bounded = np.isfinite(wanted.bound)
        assert (np.abs(found[name] - wanted.value) <= wanted.bound)[bounded].all(), name


def transposed(drawn: Drawn, d_h: Array, right: Named) -> Named:
    """U is passed through the wrong way round on the way back: the forward pass of an orthogonal U has no say in it."""
    wrong = replace(drawn, weights=drawn.weights.with_arrays(U=drawn.weights.U.T))
    return gradients_in_order(wrong, d_h, np.random.default_rng(0), one_by_one)


def truncated(drawn: Drawn, d_h: Array, right: Named) -> Named:
    """No gradient passes from the fourth timestep to the third."""
    first, last = d_h.copy(), d_h.copy()
    first[:, 3:], last[:, :3] = 0, 0
    h = run_in_order(
        drawn.x, drawn.weights, drawn.layer.cell.activation, drawn.initial, np.random.default_rng(0), one_by_one
    )
    tail = replace(drawn, x=drawn.x[:, 3:], initial=h[:, 2])
    whole = gradients_in_order(drawn, first, np.random.default_rng(0), one_by_one)
    rest = gradients_in_order(tail, last[:, 3:], np.random.default_rng(0), one_by_one)
    for name in ("layers[0].W", "layers[0].U", "layers[0].b"):
        whole[name] = whole[name] + rest[name]
    whole["inputs"] = np.concatenate([whole["inputs"][:, :3], rest["inputs"]], axis=1)
    return whole


def bias_of_one_timestep_missing(drawn: Drawn, d_h: Array, right: Named) -> Named:
    """The gradient of the bias leaves out the first timestep of the first sequence."""
    one = gradients_in_order(
        replace(drawn, x=drawn.x[:1, :1], initial=drawn.initial[:1]), d_h[:1, :1], np.random.default_rng(0), one_by_one
    )
    return {**right, "layers[0].b": right["layers[0].b"] - one["layers[0].b"]}


def slope_doubled_at_the_end(drawn: Drawn, d_h: Array, right: Named) -> Named:
    """The gradient of the inputs is that of a layer with twice the slope at each last timestep."""
    inputs = right["inputs"].copy()
    inputs[:, -1] *= 2
    return {**right, "inputs": inputs}


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("fault", [transposed, truncated, bias_of_one_timestep_missing, slope_doubled_at_the_end])
def test_wrong_gradients_leave_their_bounds(fault: Callable[[Drawn, Array, Named], Named], activation: str) -> None:
    """Faults show in float32, in each of five layers; of relu in most, as nothing passes where no unit is alive."""
    caught = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        drawn = draw_layer(rng, "float32", activation, (2, 6, 4, 4), scale=0.4)
        d_h = rng.standard_normal((2, 6, 4)).astype(np.float32)
        right, expected = gradients_in_order(drawn, d_h, rng, one_by_one), expected_of(drawn, d_h)
        assert worst(right, expected) <= 1
        caught += worst(fault(drawn, d_h, right), expected) > 1
    assert caught >= (3 if activation == "relu" else 5)


def test_a_lost_recurrence_shows() -> None:
    """`without_recurrence` is the gradient in a layer that passes none from a timestep to the one before."""
    rng = np.random.default_rng(3)
    drawn = draw_layer(rng, "float32", "tanh", scale=0.4)
    d_h = rng.standard_normal((2, 6, 4)).astype(np.float32)
    expected = expected_of(drawn, d_h)
    h = run_in_order(drawn.x.astype(np.float64), in_float64(drawn.weights), "tanh", drawn.initial, rng, one_by_one)
    truncated_b = (d_h * (1 - h * h)).sum((0, 1))
    np.testing.assert_allclose(expected["layers[0].b"].without_recurrence, truncated_b, rtol=1e-9)
    for name in ("layers[0].W", "layers[0].U", "layers[0].b", "inputs", "initial_state[0]"):
        assert (np.abs(expected[name].value - expected[name].without_recurrence) > expected[name].bound).any()


def test_one_timestep_has_no_recurrence() -> None:
    """With one timestep there is nothing that truncation could lose."""
    rng = np.random.default_rng(3)
    drawn = draw_layer(rng, "float32", "tanh", (2, 1, 5, 4))
    for wanted in expected_of(drawn, rng.standard_normal((2, 1, 4))).values():
        np.testing.assert_allclose(wanted.value, wanted.without_recurrence, rtol=1e-12)


# Products of Jacobians


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["small", "orthogonal", "large"])
def test_norms_of_jacobians(kind: str, dtype: str, activation: str) -> None:
    """The norm of a gradient of the initial state in the subject's dtype is within its bound, for every lag."""
    rng = np.random.default_rng(7)
    units, lags = 6, [1, 2, 40]
    U = rng.standard_normal((units, units))
    U = np.linalg.qr(U)[0] if kind == "orthogonal" else U * {"small": 0.5, "large": 1.5}[kind] / units**0.5
    W, b = 0.5 * rng.standard_normal((units, 3)), 0.1 * rng.standard_normal(units)
    weights = LayerWeights({"W": W.astype(dtype), "U": U.astype(dtype), "b": b.astype(dtype)})
    layer = Layer(3, units, SimpleRnn(activation))
    architecture = Architecture((layer,), dtype=dtype, return_sequences=False)
    for lag in lags:
        x, start = rng.standard_normal((lag, 3)).astype(dtype), np.zeros(units, dtype)
        found = gradients(
            architecture,
            Weights((weights,)),
            np.repeat(x[np.newaxis], units, axis=0),
            Output(np.eye(units, dtype=dtype)),
            (((np.repeat(start[np.newaxis], units, axis=0),),),),
        )
        assert found.initial_state is not None
        actual = norm(found.initial_state[0][0][0].astype(np.float64))
        arguments = in_float64(weights), x.astype(np.float64)
        expected = expected_jacobian_norm(layer, *arguments, [start.astype(np.float64)], standard_precision(dtype))
        assert abs(actual - expected.value) <= expected.bound
        np.testing.assert_allclose(jacobian_norms(layer, *arguments, [lag]), expected.value, rtol=1e-12)
        if kind != "large" and dtype == "float64" and expected.value > 0:  # of relu, all units may be dead
            assert expected.bound < 1e-6 * expected.value  # what a layer forgets, its bound forgets, too


def test_norms_of_a_linear_layer() -> None:
    """In a linear layer the product of k Jacobians is the k-th power of U."""
    U = np.array([[0.0, 2.0], [0.5, 0.0]])
    norms = jacobian_norms(
        Layer(1, 2, SimpleRnn("linear"), False),
        LayerWeights({"W": np.ones((2, 1)), "U": U}),
        np.ones((6, 1)),
        [0, 1, 2, 5],
    )
    np.testing.assert_allclose(norms, [2**0.5, 4.25**0.5, 2**0.5, 4.25**0.5])


@pytest.mark.parametrize("lags", [[7], [1, -1]])
def test_lags_that_do_not_fit(lags: list[int]) -> None:
    """A lag that is longer than the sequence, or negative, is refused."""
    with pytest.raises(ValueError, match="do not fit a sequence of 6 timesteps"):
        jacobian_norms(Layer(1, 1), LayerWeights({"W": np.ones((1, 1)), "U": np.ones((1, 1))}), np.ones((6, 1)), lags)
