"""The gradients of a user's own Flax layer: jax.vjp of a call of the module itself, in NNX and in Linen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Canonical, Refused, Survey
from rnn_conformance.adapters.flax import linen_reading, nnx_reading
from rnn_conformance.adapters.flax.watching import alone, carry_of, state_here
from rnn_conformance.adapters.jax.arrays import x64
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.weights import Weights

Run = Callable[..., tuple[Any, Any]]
"""From the parameters, the inputs and an initial carry, or None, to the carry and the outputs."""


def differentiate_nnx(model: Any, canonical: Canonical, arguments: Arguments, cotangent: Output) -> Gradients:
    """Those of the weights, of the inputs and, where one is given, of the initial state; of a cell those of a step."""
    from flax import nnx

    module = dict(nnx_reading.walk(model))[canonical.path]
    split: Any = nnx.split(module, nnx.Param, ...)
    graph, params, rest = split
    given = _given(module, canonical, arguments)

    def run(params: Any, x: Any, carry: Any) -> tuple[Any, Any]:
        merged = nnx.merge(graph, params, rest)
        if canonical.is_cell:
            carry, output = merged(
                merged.initialize_carry(x[:, 0].shape, nnx.Rngs(0)) if carry is None else carry, x[:, 0]
            )
            return carry, output[:, None]
        carry, outputs = merged(x, initial_carry=carry, return_carry=True, **given)
        return carry, outputs

    def weights(gradients: Any) -> Weights:
        return nnx_reading.read_module(nnx.merge(graph, gradients, rest), canonical.path).weights

    return _gradients(run, weights, params, module, canonical, arguments, cotangent)


def differentiate_linen(model: Any, canonical: Canonical, arguments: Arguments, cotangent: Output) -> Gradients:
    """The same of ``(module, variables)``. Raises Refused for a layer within a model, which has no variables alone."""
    if canonical.path:
        raise Refused(canonical.path, "gradients", "within a Linen model a layer cannot be called by itself")
    module, variables = model
    given = _given(module, canonical, arguments)

    def run(params: Any, x: Any, carry: Any) -> tuple[Any, Any]:
        applied = module.apply({**variables, "params": params}, x, initial_carry=carry, return_carry=True, **given)
        return applied[0], applied[1]

    def weights(gradients: Any) -> Weights:
        return linen_reading.read_bound(module.bind({**variables, "params": gradients})).weights

    return _gradients(run, weights, variables["params"], module, canonical, arguments, cotangent)


def _given(module: Any, canonical: Canonical, arguments: Arguments) -> dict[str, Any]:
    """What the layer is called with beside its inputs and its carry."""
    if canonical.is_cell:
        return {}
    _, given = alone(Survey((canonical,)), module, replace(arguments, initial_state=None))
    return given


def _gradients(
    run: Run,
    weights_of: Callable[[Any], Weights],
    params: Any,
    module: Any,
    canonical: Canonical,
    arguments: Arguments,
    cotangent: Output,
) -> Gradients:
    import jax

    turned = bool(getattr(module, "time_major", False))

    def there(array: Any) -> Any:
        """With time first, where the module has it so."""
        return jax.numpy.asarray(np.swapaxes(array, 0, 1) if turned else array)

    state = arguments.initial_state
    with x64(canonical.architecture.weights_dtype or canonical.architecture.dtype):
        carry = None if state is None else jax.tree.map(jax.numpy.asarray, carry_of(canonical, state))
        _, back = jax.vjp(run, params, there(arguments.inputs), carry)
        assert cotangent.final_state is not None
        d_carry = jax.tree.map(jax.numpy.asarray, carry_of(canonical, cotangent.final_state))
        d_params, d_inputs, d_initial = back((d_carry, there(cotangent.outputs)))
        found = weights_of(d_params)
    d_x = np.array(d_inputs)
    return Gradients(
        found, d_x.swapaxes(0, 1) if turned else d_x, None if state is None else state_here(canonical, d_initial)
    )
