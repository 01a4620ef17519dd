"""The kind of test that people write by hand: build the layers, set the weights, run once, compare with a loop.

One function a backend: from canonical weights [(W, U, b), ...] and inputs to outputs, with everything built anew, as a
Hypothesis test over shapes has to. The frameworks are imported by `load`, once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

Weights = list[tuple[Any, Any, Any]]
Forward = Callable[[Weights, Any], Any]


def load(backend: str) -> Forward:
    """The hand-written forward pass of a backend; imports its framework."""
    return {"torch": _torch, "jax-scan": _jax_scan, "flax-nnx": _flax_nnx}.get(backend, _keras)(backend)


def _torch(backend: str) -> Forward:
    import torch

    torch.set_num_threads(1)

    def forward(weights: Weights, x: Any) -> Any:
        y = torch.from_numpy(x)
        with torch.no_grad():
            for W, U, b in weights:
                layer = torch.nn.RNN(W.shape[1], W.shape[0], batch_first=True)
                layer.weight_ih_l0.copy_(torch.from_numpy(W))
                layer.weight_hh_l0.copy_(torch.from_numpy(U))
                layer.bias_ih_l0.copy_(torch.from_numpy(b))
                layer.bias_hh_l0.zero_()
                y, _ = layer(y)
        return y.numpy()

    return forward


def _keras(backend: str) -> Forward:
    os.environ["KERAS_BACKEND"] = backend.removeprefix("keras-")
    import keras

    if backend == "keras-tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)

    def forward(weights: Weights, x: Any) -> Any:
        layers = [keras.layers.SimpleRNN(len(U), return_sequences=True) for _, U, _ in weights]
        model = keras.Sequential([keras.Input((None, x.shape[2])), *layers])
        for layer, (W, U, b) in zip(layers, weights, strict=True):
            layer.set_weights([W.T, U.T, b])
        return keras.ops.convert_to_numpy(model(x))

    return forward


def _jax_scan(backend: str) -> Forward:
    import jax
    import jax.numpy as jnp

    def forward(weights: Weights, x: Any) -> Any:
        y = jnp.asarray(x)
        for W, U, b in weights:

            def step(h: Any, x_t: Any, W: Any = W, U: Any = U, b: Any = b) -> Any:
                h = jnp.tanh(x_t @ W.T + h @ U.T + b)
                return h, h

            _, y = jax.lax.scan(step, jnp.zeros((x.shape[0], len(U))), y.swapaxes(0, 1))
            y = y.swapaxes(0, 1)
        return np.asarray(y)

    return forward


def _flax_nnx(backend: str) -> Forward:
    import jax.numpy as jnp
    from flax import nnx

    def forward(weights: Weights, x: Any) -> Any:
        y = jnp.asarray(x)
        for W, U, b in weights:
            cell = nnx.SimpleCell(W.shape[1], W.shape[0], rngs=nnx.Rngs(0))
            cell.dense_i.kernel[...] = W.T
            cell.dense_h.kernel[...] = U.T
            cell.dense_i.bias[...] = b
            y = nnx.RNN(cell)(y)
        return np.asarray(y)

    return forward


def run(forward: Forward, examples: int, number: int, *, numbers: str) -> None:
    """A Hypothesis test of so many examples: 1 to 3 layers, up to batch 4, 12 timesteps, 8 features, float32.

    `numbers` says where the arrays come from: "drawn" by Hypothesis, which is what its documentation shows and what
    lets it shrink them, or "seeded", from a random generator whose seed Hypothesis draws, which is much quicker.
    """
    sizes = st.integers(1, 8)

    @seed(number)
    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data(), st.integers(1, 4), st.integers(1, 12), sizes, st.lists(sizes, min_size=1, max_size=3))
    def matches(data: Any, batch: int, timesteps: int, features: int, widths: list[int]) -> None:
        if numbers == "seeded":
            rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))

        def array(*shape: int) -> Any:
            if numbers == "seeded":
                return rng.normal(0, 0.5, shape).astype("float32")
            return data.draw(arrays(np.float32, shape, elements=st.floats(-1, 1, width=32)))

        weights = [(array(n, m), array(n, n), array(n)) for m, n in zip([features, *widths], widths, strict=False)]
        x = array(batch, timesteps, features)
        expected = x
        for W, U, b in weights:
            h = np.zeros((batch, len(U)), "float32")
            steps = []
            for t in range(timesteps):
                h = np.tanh(expected[:, t] @ W.T + h @ U.T + b)
                steps.append(h)
            expected = np.stack(steps, axis=1)
        np.testing.assert_allclose(forward(weights, x), expected, rtol=1e-3, atol=1e-3)

    matches()
