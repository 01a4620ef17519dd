"""What a Keras user builds of layers: a Sequential, or a Model that also takes a mask and states or returns states."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rnn_conformance.adapters.keras.arrays import Keras, Model, RecurrentLayer, Tensor, as_list, one_or_list
from rnn_conformance.adapters.keras.layers import held_by, is_legacy
from rnn_conformance.adapters.keras.ways import STACKED
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
    results = apply(keras, architecture, front, layers, behind, given, inputs)
    model: Model = keras.Model(one_or_list(inputs), results)
    return model


def apply(
    keras: Keras,
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
    states = iter(rest)
    for layer, held in zip(layers, held_by(architecture), strict=True):
        if given.state:
            counts = [len(about.cell.parts) * (1 + about.is_bidirectional) for about in held]
            given_to = [list(islice(states, count)) for count in counts]
            options["initial_state"] = of_cells(keras, given_to) if architecture.mode == STACKED else given_to[0]
        x = layer(x, **options)
        if architecture.return_state:
            x, *ended = x
            final += [tensor for state in ended for tensor in as_list(state)]
    return [behind(x) if behind else x, *final]


def of_cells(keras: Keras, states: Sequence[list[Tensor]]) -> list[Tensor | list[Tensor]]:
    """The states of a stack of cells, as its get_initial_state has them: a list for each cell.

    In Keras 2, the state of a cell that has one tensor is no list.
    """
    return [one_or_list(state) for state in states] if is_legacy(keras) else list(states)


def reloaded(keras: Keras, model: Model) -> Model:
    """The model as it comes back from a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        loaded: Model = keras.saving.load_model(path)
        return loaded
