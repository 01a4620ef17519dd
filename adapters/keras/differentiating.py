"""The gradients of a user's own Keras layer, by what its backend has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Canonical, Refused
from rnn_conformance.adapters.jax.arrays import x64
from rnn_conformance.adapters.keras.reading import walk
from rnn_conformance.adapters.keras.watching import array
from rnn_conformance.reference.layers.masking import mask_of_lengths
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import each_state, flat
from rnn_conformance.reference.model.weights import LayerWeights, Weights

Run = Callable[..., list[Any]]
"""From the inputs and each array of the initial state to all that the layer returns."""


def differentiate(model: Any, canonical: Canonical, arguments: Arguments, cotangent: Output) -> Gradients:
    """Those of the weights, of the inputs and, where one is given, of the initial state; of a cell those of a step.

    Raises Refused for a layer that keeps its state, which each call would change.
    """
    import keras

    from rnn_conformance.adapters.keras.plain import named_weights

    if canonical.architecture.stateful:
        raise Refused(canonical.path, "gradients", "it is stateful, and a call would change the state that it keeps")
    layer, backend = dict(walk(model))[canonical.path], keras.config.backend()
    mask = arguments.mask
    if arguments.lengths is not None:
        mask = mask_of_lengths(np.asarray(arguments.lengths), arguments.inputs.shape[1])

    def run(x: Any, *state: Any) -> list[Any]:
        if canonical.is_cell:
            output, final = layer(x[:, 0], list(state) or layer.get_initial_state(batch_size=len(x)))
            return [output[:, None], *keras.tree.flatten(final)]
        result = layer(x, initial_state=list(state) or None, mask=mask, training=False)
        return list(keras.tree.flatten(result))

    cells = list(_cells(layer))
    each = [[cell.kernel, cell.recurrent_kernel, *([cell.bias] if cell.use_bias else [])] for cell in cells]
    given = [np.array(arguments.inputs), *map(np.array, flat(arguments.initial_state))]
    with x64(canonical.architecture.dtype if backend == "jax" else ""):
        gradient = {"torch": _on_torch, "tensorflow": _on_tensorflow, "jax": _on_jax}[backend]
        cotangents = [cotangent.outputs, *flat(cotangent.final_state)]
        variables = [variable for arrays in each for variable in arrays]
        found = iter([array(tensor) for tensor in gradient(run, variables, given, cotangents)])
    named = [LayerWeights(named_weights(*(next(found) for _ in arrays))) for arrays in each]
    both = canonical.architecture.layers[0].is_bidirectional
    weights = Weights((LayerWeights.of(named),) if both else tuple(named))
    return Gradients(weights, next(found), each_state(lambda _: next(found), arguments.initial_state))


def _cells(layer: Any) -> Iterator[Any]:
    """The cells of a layer: of both directions, of a stack of them, or itself."""
    if hasattr(layer, "forward_layer"):
        yield from (layer.forward_layer.cell, layer.backward_layer.cell)
    else:
        cell = getattr(layer, "cell", layer)
        yield from getattr(cell, "cells", [cell])


def _on_torch(run: Run, variables: Sequence[Any], given: Sequence[Any], cotangents: Sequence[Any]) -> Any:
    import keras
    import torch

    sources = [keras.ops.convert_to_tensor(each).requires_grad_() for each in given]
    parameters = [variable.value for variable in variables]
    frozen = [parameter for parameter in parameters if not parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        with torch.enable_grad():
            found = [keras.ops.convert_to_tensor(each) for each in cotangents]
            return torch.autograd.grad(run(*sources), [*parameters, *sources], found)
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


def _on_tensorflow(run: Run, variables: Sequence[Any], given: Sequence[Any], cotangents: Sequence[Any]) -> Any:
    import tensorflow as tf

    sources = [tf.convert_to_tensor(each) for each in given]
    values = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        tape.watch([*values, *sources])  # what is frozen as well
        results = run(*sources)
    found = tape.gradient(results, [*values, *sources], [tf.convert_to_tensor(each) for each in cotangents])
    return [tf.convert_to_tensor(each) for each in found]


def _on_jax(run: Run, variables: Sequence[Any], given: Sequence[Any], cotangents: Sequence[Any]) -> Any:
    import jax
    import keras

    def call(values: Any, sources: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return run(*sources)

    values = [variable.value for variable in variables]
    _, back = jax.vjp(call, values, [jax.numpy.asarray(each) for each in given])
    of_values, of_sources = back([jax.numpy.asarray(each) for each in cotangents])
    return [*of_values, *of_sources]
