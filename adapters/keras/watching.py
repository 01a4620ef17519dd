"""Watching a user's Keras model: each call of each recurrent layer, whose `call` notes what it is given and returns.

While it is watched, a layer is asked for all outputs, of both directions apart, and for its states: those of the same
run of the same layer. What it shows by itself is what the rest of the model gets, and is held against them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import NOT_SEEN, Arguments, Call, Canonical, Survey
from rnn_conformance.adapters.keras.reading import walk
from rnn_conformance.reference.layers.layer import join
from rnn_conformance.reference.layers.masking import mask_of_lengths
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State, each_state, flat, state_shapes
from rnn_conformance.reference.model.weights import Array


def watch(model: Any, survey: Survey, arguments: Arguments) -> tuple[list[Call], Any]:
    """Each call of each recurrent layer that was read, in the order in which they are called, and what came out."""
    import keras

    calls: list[Call] = []
    layers = dict(walk(model))
    with ExitStack() as watched:
        for canonical in survey.layers:
            watched.enter_context(_noted(layers[canonical.path], canonical, calls))
        watched.enter_context(_without_gradients())
        if [layer.path for layer in survey.layers] == [""]:
            result = _call_alone(model, survey.layers[0], arguments)
        else:
            inputs = arguments.inputs
            result = model(list(inputs) if isinstance(inputs, tuple) else inputs, training=False)
        return calls, keras.tree.map_structure(array, result)


def _without_gradients() -> Any:
    import keras

    if keras.config.backend() != "torch":
        return ExitStack()
    import torch

    return torch.no_grad()


def _call_alone(layer: Any, canonical: Canonical, arguments: Arguments) -> Any:
    state = list(flat(arguments.initial_state)) if arguments.initial_state is not None else None
    x, mask = np.asarray(arguments.inputs), arguments.mask
    if canonical.is_cell:
        return layer(x, state or layer.get_initial_state(batch_size=len(x)))
    if arguments.lengths is not None:
        mask = mask_of_lengths(np.asarray(arguments.lengths), x.shape[1])
    return layer(x, initial_state=state, mask=None if mask is None else np.asarray(mask, bool), training=False)


@contextmanager
def _noted(layer: Any, canonical: Canonical, calls: list[Call]) -> Iterator[None]:
    """The layer notes each call."""
    call = layer.call

    def noting(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(("sequences", "initial_state", "mask", "training"), args, strict=False)) | kwargs
        if canonical.is_cell:
            result = call(*args, **kwargs)
            if is_concrete(result[0]):
                calls.append(_call_of_cell(canonical, args, kwargs, result))
            return result
        if not is_concrete(given["sequences"]):
            return call(*args, **kwargs)
        before = _kept(layer) if canonical.architecture.stateful else None
        with _opened(layer):
            whole = call(*args, **kwargs)
        if before is not None:
            _put_back(layer, before)
        shown = call(*args, **kwargs)
        state = given.get("initial_state")
        calls.append(_call_of(canonical, given, before if state is None else state, whole, shown))
        return shown

    object.__setattr__(layer, "call", noting)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")


def is_concrete(tensor: Any) -> bool:
    """Whether there are numbers in it, and not only a place for them in what is being compiled."""
    import keras

    if isinstance(tensor, keras.KerasTensor):
        return False
    if keras.config.backend() == "jax":
        import jax

        return not isinstance(tensor, jax.core.Tracer)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.executing_eagerly())
    return True


def _parts(layer: Any) -> tuple[Any, ...]:
    return (layer, *((layer.forward_layer, layer.backward_layer) if hasattr(layer, "forward_layer") else ()))


@contextmanager
def _opened(layer: Any) -> Iterator[None]:
    """The layer returns all outputs, of both directions side by side, and its states."""
    wanted = {"return_sequences": True, "return_state": True, "merge_mode": "concat"}
    before = [(each, name, getattr(each, name)) for each in _parts(layer) for name in wanted if hasattr(each, name)]
    try:
        for each, name, _ in before:
            object.__setattr__(each, name, wanted[name])
        yield
    finally:
        for each, name, value in before:
            object.__setattr__(each, name, value)


def _kept(layer: Any) -> list[Array]:
    """The states that a layer keeps from call to call."""
    import keras

    states = [state for each in _parts(layer) for state in getattr(each, "states", None) or ()]
    return [array(variable) for variable in keras.tree.flatten(states)]


def _put_back(layer: Any, kept: Sequence[Array]) -> None:
    import keras

    states = [state for each in _parts(layer) for state in getattr(each, "states", None) or ()]
    for variable, value in zip(keras.tree.flatten(states), kept, strict=True):
        variable.assign(value)


def array(tensor: Any) -> Any:
    """A copy of the numbers of a tensor; what is none stays as it is."""
    import keras

    return np.array(keras.ops.convert_to_numpy(tensor)) if hasattr(tensor, "shape") else tensor


def _state(canonical: Canonical, tensors: Any) -> State:
    import keras

    found = iter([array(tensor) for tensor in keras.tree.flatten(tensors)])
    return each_state(lambda _: next(found), state_shapes(canonical.architecture, ()))


def _call_of(canonical: Canonical, given: Any, state: Any, whole: Any, shown: Any) -> Call:
    from dataclasses import replace

    import keras

    outputs, *final = whole
    outputs, final_state = array(outputs), _state(canonical, final)
    mask = given.get("mask")
    layer, architecture = canonical.architecture.layers[-1], canonical.architecture
    parts = np.split(outputs, 2, axis=-1) if layer.is_bidirectional else [outputs]
    ends = [direction[0] for direction in final_state[-1]]
    wanted = parts if architecture.return_sequences else ends
    expected = join(layer.merge, *wanted) if layer.is_bidirectional else wanted[0]
    seen = array(keras.tree.flatten(shown)[0])
    differs = not np.array_equal(expected, seen, equal_nan=True)
    opened = replace(
        architecture,
        return_sequences=True,
        return_state=True,
        layers=(*architecture.layers[:-1], replace(layer, merge="concat")),
    )
    call = Call(
        replace(canonical, architecture=opened),
        array(given["sequences"]),
        Output(outputs, final_state),
        None if state is None else _state(canonical, state),
        None if mask is None else array(mask).astype(bool),
    )
    if not differs:
        return call
    why = f"what it shows has other bits than its outputs and states: {NOT_SEEN}"
    return replace(
        call, canonical=canonical, output=Output(seen, None), is_last=not architecture.return_sequences, not_seen=why
    )


def _call_of_cell(canonical: Canonical, args: Any, kwargs: Any, result: Any) -> Call:
    given = dict(zip(("inputs", "states", "training"), args, strict=False)) | kwargs
    final = _state(canonical, result[1])
    return Call(
        canonical,
        array(given["inputs"])[:, np.newaxis],
        Output(array(result[0])[:, np.newaxis], final),
        _state(canonical, given["states"]),
    )
