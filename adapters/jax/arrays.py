"""What JAX computes with, by type, its functions by our names, and the ways to NumPy and to 64 bits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

import numpy as np

from rnn_conformance.reference.model.states import State, each_state

JaxArray = Any
"""A jax.Array, or what stands for one while a function is traced; NumPy's arrays are taken too."""

Parameters = Any
"""A pytree of arrays."""

Carry = Any
"""The state of a layer, as `apply_layers` says: an array, or a tuple of them."""

Function = Callable[[JaxArray], JaxArray]
"""From an array to one of the same shape."""

Merge = Callable[[JaxArray, JaxArray], JaxArray]
"""From the outputs of two directions to those of the layer."""

Context = AbstractContextManager[Any]


def in_numpy(state: State) -> State:
    """A state of JAX's arrays as one of NumPy's."""
    return each_state(np.asarray, state)


def x64(dtype: str) -> Context:
    """JAX's 64-bit types for float64 alone, so that float32 is computed as JAX's users compute it."""
    import jax

    if dtype != "float64":
        return nullcontext()
    here: Any = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")  # before JAX 0.8
    switched: Context = here.enable_x64(True)
    return switched


def activation(name: str) -> Function:
    """JAX's own function of that name; Flax exports the same ones."""
    import jax

    functions: dict[str, Function] = {
        "tanh": jax.numpy.tanh,
        "relu": jax.nn.relu,
        "linear": getattr(jax.nn, "identity", _identity),  # which JAX has had since 0.4.32
        "sigmoid": jax.nn.sigmoid,
    }
    return functions[name]


def merge_function(merge: str) -> Merge:
    """What a user passes as merge_fn, or applies to the outputs of two directions."""
    from jax import numpy as jnp

    functions: dict[str, Merge] = {
        "concat": lambda forward, backward: jnp.concatenate([forward, backward], axis=-1),
        "sum": jnp.add,
        "mul": jnp.multiply,
        "ave": lambda forward, backward: (forward + backward) / 2,
    }
    return functions[merge]


def _identity(x: JaxArray) -> JaxArray:
    return x
