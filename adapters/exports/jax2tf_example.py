"""A recurrence in JAX through jax2tf, as a user would write it: a SavedModel, whose weights are variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import tensorflow as tf
from jax import export
from jax import numpy as jnp
from jax.experimental import jax2tf

from rnn_conformance.adapters.jax.example import gru, layer, lstm, simple_rnn


def saved(function: Callable[..., Any], params: Any, specs: Any, path: Any, gradients: bool = False) -> Any:
    """A SavedModel of a function, perhaps with its gradients, as it is loaded again.

    The leaves of its parameters become variables. It is called as `program.f` with the leaves of the other arguments,
    whose shapes and dtypes `specs` has: an axis of which it has the name may have any size.
    """
    module = tf.Module()
    variables = jax.tree.map(tf.Variable, params)
    module.params = jax.tree.leaves(variables)
    shapes = jax.tree.map(lambda spec: f"({', '.join(map(str, spec.shape))})", specs)
    converted = jax2tf.convert(function, polymorphic_shapes=(None, *shapes), with_gradient=gradients)
    leaves, structure = jax.tree.flatten(specs)
    open_shapes = [[size if isinstance(size, int) else None for size in spec.shape] for spec in leaves]
    signature = [tf.TensorSpec(shape, spec.dtype) for shape, spec in zip(open_shapes, leaves, strict=True)]
    module.f = tf.function(
        lambda *given: converted(variables, *jax.tree.unflatten(structure, given)),
        input_signature=signature,
        autograph=False,
    )
    tf.saved_model.save(module, path, options=tf.saved_model.SaveOptions(experimental_custom_gradients=gradients))
    return tf.saved_model.load(path)


def called(program: Any, given: Any) -> Any:
    """What it gives for these arguments, nested as it was in JAX."""
    results = program.f(*jax.tree.leaves(given))
    return tf.nest.map_structure(lambda result: result.numpy(), results)


def pulled(program: Any, given: Any, cotangent: Any) -> tuple[Any, Any]:
    """The gradients of the variables, in their order, and of the arguments, with None for those that are no floats."""
    leaves, structure = jax.tree.flatten(given)
    tensors = [tf.constant(leaf) for leaf in leaves]
    sources = [*program.params, *(tensor for tensor in tensors if tensor.dtype.is_floating)]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        results = tf.nest.flatten(program.f(*tensors))
    gradients = tape.gradient(results, sources, [tf.constant(leaf) for leaf in jax.tree.leaves(cotangent)])
    found = [gradient.numpy() for gradient in gradients]
    of_floats = iter(found[len(program.params) :])
    of_given = [next(of_floats) if tensor.dtype.is_floating else None for tensor in tensors]
    return found[: len(program.params)], jax.tree.unflatten(structure, of_given)


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """A simple RNN with jax.lax.scan."""
    params = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b)}

    # Convert and save, for any batch and any number of timesteps.
    specs = export.symbolic_args_specs((x,), ("batch, timesteps, ...",))
    program = saved(lambda params, x: layer(simple_rnn, jnp.tanh, params, x)[1], params, specs, "model")

    # Load. JAX sorts the keys of a dict.
    for variable, name in zip(program.params, sorted(params), strict=True):
        variable.assign(np.asarray(params[name]))

    # Run.
    outputs = program.f(x).numpy()

    # Read.
    U_read, W_read, b_read = (variable.numpy() for variable in program.params)
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """An LSTM with jax.lax.scan."""
    params = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b)}

    # Convert and save, for any batch and any number of timesteps.
    specs = export.symbolic_args_specs((x,), ("batch, timesteps, ...",))
    program = saved(lambda params, x: layer(lstm, jnp.tanh, params, x)[1], params, specs, "model")

    # Load. JAX sorts the keys of a dict.
    for variable, name in zip(program.params, sorted(params), strict=True):
        variable.assign(np.asarray(params[name]))

    # Run.
    outputs = program.f(x).numpy()

    # Read.
    U_read, W_read, b_read = (variable.numpy() for variable in program.params)
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """A GRU with jax.lax.scan."""
    params = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b), "c": jnp.array(c)}

    # Convert and save, for any batch and any number of timesteps.
    specs = export.symbolic_args_specs((x,), ("batch, timesteps, ...",))
    program = saved(lambda params, x: layer(gru, jnp.tanh, params, x)[1], params, specs, "model")

    # Load. JAX sorts the keys of a dict.
    for variable, name in zip(program.params, sorted(params), strict=True):
        variable.assign(np.asarray(params[name]))

    # Run.
    outputs = program.f(x).numpy()

    # Read.
    U_read, W_read, b_read, c_read = (variable.numpy() for variable in program.params)
    return outputs, W_read, U_read, b_read, c_read
