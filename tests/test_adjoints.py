"""Gradients are judged at users' sizes: first-order bounds hold for the worst subject, and tell right from wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_bounds import Drawn, draw_layer, one_by_one
from test_gradient_bounds import expected_of, gradients_in_order, worst

from rnn_conformance.reference.arithmetic.rounding import gamma, standard_precision
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.layers.gradients import SLOPES
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights, in_float64


def ordinary(units: int, timesteps: int, seed: int = 0) -> tuple[Drawn, Array]:
    """A float32 layer as frameworks initialise it, uniform in +-1/sqrt(units), and the cotangent of its outputs."""
    rng = np.random.default_rng(seed)
    most = units**-0.5

    def array(*shape: int) -> Array:
        return rng.uniform(-most, most, shape).astype(np.float32)

    weights = LayerWeights({"W": array(units, units), "U": array(units, units), "b": array(units)})
    x, d_h = (rng.standard_normal((1, timesteps, units)).astype(np.float32) for _ in range(2))
    return Drawn("float32", Layer(units, units), weights, x, np.zeros((1, units), np.float32)), d_h


def sharpness(expected: dict[str, Expected]) -> float:
    """The median bound of U's gradient, as a share of the median of its elements."""
    of_U = expected["layers[0].U"]
    return float(np.median(of_U.bound) / np.median(np.abs(of_U.value)))


@pytest.mark.parametrize(("units", "timesteps", "most"), [(8, 30, 1e-3), (32, 30, 5e-3), (32, 60, 1e-2)])
def test_gradients_are_judged_at_users_sizes(units: int, timesteps: int, most: float) -> None:
    """The bound is a small share of the gradient; sums of absolute values were up to 1e24 times as large as it."""
    drawn, d_h = ordinary(units, timesteps)
    expected = expected_of(drawn, d_h)
    right = gradients_in_order(drawn, d_h, np.random.default_rng(0), one_by_one)
    assert sharpness(expected) < most
    assert worst(right, expected) <= 0.1
    of_U = right["layers[0].U"]
    assert worst({**right, "layers[0].U": of_U * np.float32(1 + 10 * most)}, expected) > 1


def test_where_gradients_explode_nothing_is_judged() -> None:
    """In a chaotic layer two right layers come apart, and with them their gradients: the bound says that it is so."""
    drawn, d_h = ordinary(8, 60)
    drawn = replace(drawn, weights=drawn.weights.with_arrays(U=8 * drawn.weights.U))
    of_U = expected_of(drawn, d_h)["layers[0].U"]
    assert (of_U.bound > np.abs(of_U.value).max()).mean() > 0.5


def worst_gradients(drawn: Drawn, d_h: Array, signs: np.random.Generator) -> dict[str, Array]:
    """Gradients of U and of the initial state in float64, every operation off by all that is allowed, signs at random.

    The forward pass is off likewise: z by gamma_n, h by the ULPs of its activation.
    """
    layer, weights = drawn.layer, in_float64(drawn.weights)
    precision = standard_precision("float32")
    units, u = layer.units, precision.unit_roundoff

    def sign(*shape: int) -> Array:
        return signs.choice([-1.0, 1.0], shape)

    n, back = layer.features + units + 3, units + 3
    h, outputs = drawn.initial.astype(np.float64), []
    for x_t in np.moveaxis(drawn.x.astype(np.float64), 1, 0):
        z = x_t @ weights.W.T + h @ weights.U.T + weights.b
        size = np.abs(x_t) @ np.abs(weights.W).T + np.abs(h) @ np.abs(weights.U).T + np.abs(weights.b)
        h = np.tanh(z + sign(*z.shape) * gamma(n, u) * size)
        h = h + sign(*z.shape) * 4.9 * u * np.abs(h)
        outputs.append(h)
    before = [drawn.initial.astype(np.float64), *outputs[:-1]]
    d_z, d_U = np.zeros_like(h), np.zeros_like(weights.U)
    for t in reversed(range(len(outputs))):
        size = np.abs(d_h[:, t]) + np.abs(d_z) @ np.abs(weights.U)
        back_h = d_h[:, t] + d_z @ weights.U
        back_h = back_h + sign(*h.shape) * gamma(back, u) * size
        d_z = SLOPES["tanh"](outputs[t]) * back_h
        d_z = d_z * (1 + sign(*h.shape) * 0.9 * gamma(4, u))
        d_U += d_z.T @ before[t]
    return {"layers[0].U": d_U, "initial_state[0]": d_z @ weights.U}


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_the_worst_gradients_stay_within(scale: float) -> None:
    """Errors of every operation, there and back, as large as they may be: none of them leads out of the bounds."""
    reached = 0.0
    for seed in range(6):
        drawn = draw_layer(np.random.default_rng(seed), "float32", "tanh", (1, 20, 3, 5), scale=scale / 5**0.5)
        d_h = np.random.default_rng(seed).standard_normal((1, 20, 5))
        expected = expected_of(drawn, d_h)
        found = worst_gradients(drawn, d_h, np.random.default_rng(seed))
        share = worst(found, {name: expected[name] for name in found})
        assert share <= 1
        reached = max(reached, share)
    assert reached > 0.02
