"""What a Keras user builds of layers: a Sequential, or a Model that also takes a mask and states or returns states."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rnn_conformance.adapters.keras.arrays import Keras, Model, RecurrentLayer, Tensor, one_or_list
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.states import flat, state_shapes


class Given(NamedTuple):
    """What a call is given beside its inputs, and so which Model it needs; timesteps only if they must be known."""

    timesteps: int | None
    state: bool
    mask: bool


def connect(
    keras: Keras, architecture: Architecture, front: Any, layers: Sequence[RecurrentLayer], behind: Any, given: Given
) -> Model:
    """A model of these layers, which takes [inputs, mask, *states] and returns [outputs, *states], or what there is."""
    # What is not known of the batch stays open, so that the model is as general as it can be.
    placeholder = partial(keras.Input, batch_size=architecture.batch)
    if architecture.embedding:
        x = placeholder((given.timesteps,), dtype="int32")
    else:
        x = placeholder((given.timesteps, architecture.layers[0].features), dtype=architecture.dtype)
    if not (given.state or given.mask or architecture.return_state):
        sequential: Model = keras.Sequential([x, *([front] if front else []), *layers, *([behind] if behind else [])])
        return sequential
    inputs = [x]
    if given.mask:
        inputs.append(placeholder((given.timesteps,), dtype="bool"))
    if given.state:
        shapes = flat(state_shapes(architecture, ()))
        inputs += [placeholder(shape, dtype=architecture.dtype) for shape in shapes]
    model: Model = keras.Model(one_or_list(inputs), apply(architecture, front, layers, behind, given, inputs))
    return model


def apply(
    architecture: Architecture,
    front: Any,
    layers: Sequence[RecurrentLayer],
    behind: Any,
    given: Given,
    inputs: Sequence[Tensor],
    **options: Any,
) -> list[Tensor]:
    """Each layer called with the outputs of the one before: [outputs of the last, *final states], as Keras has them."""
    x, *rest = inputs
    if front:
        x = front(x)
    if given.mask:
        # A mask that a layer is given reaches the next one with the outputs too, but not if that has an initial state.
        options["mask"] = rest.pop(0)
    final: list[Tensor] = []
    for layer, about in zip(layers, architecture.layers, strict=True):
        if given.state:
            count = len(about.cell.parts) * (1 + about.is_bidirectional)
            options["initial_state"], rest = rest[:count], rest[count:]
        x = layer(x, **options)
        if architecture.return_state:
            x, *states = x
            final += states
    return [behind(x) if behind else x, *final]


def reloaded(keras: Keras, model: Model) -> Model:
    """The model as it comes back from a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        loaded: Model = keras.saving.load_model(path)
        return loaded
