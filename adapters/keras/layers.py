"""The Keras layers of an architecture, and their weights: built, loaded and read through Keras' own variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import islice
from typing import Any

from rnn_conformance.adapters.keras.arrays import Keras, RecurrentLayer
from rnn_conformance.adapters.keras.cells import LAYERS, arguments
from rnn_conformance.adapters.keras.plain import keras_weights, named_weights
from rnn_conformance.adapters.keras.ways import LEGACY, MASKED_BY, STACKED, arguments_of
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.states import each_state, state_shapes
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

MIXED = {("float16", "float32"): "mixed_float16", ("bfloat16", "float32"): "mixed_bfloat16"}
"""Keras' dtype policies, by the dtype of outputs and that of weights, where these are two."""


@cache
def keras_on(backend: str) -> Keras:
    """The keras module, on this backend, or tf_keras. Raises RuntimeError where Keras is on another one already."""
    if backend != LEGACY and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    if backend in ("tensorflow", LEGACY):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # it warns of one graph each for many models, taking them for one model
        with suppress(RuntimeError):  # TensorFlow is in use already, with threads of its user's choice
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    if backend == "torch":
        import torch

        torch.set_num_threads(1)  # a thread pool costs small layers a factor of ten
    if backend == LEGACY:
        import tf_keras

        return tf_keras
    import keras

    if keras.config.backend() != backend:
        raise RuntimeError(
            f"Keras runs on {keras.config.backend()} in this process, and cannot be moved to {backend}: "
            "test each backend in a process of its own"
        )
    return keras


def is_legacy(keras: Keras) -> bool:
    """Whether it is Keras 2."""
    return bool(keras.__name__ == "tf_keras")


def policy(architecture: Architecture) -> str:
    """Keras' dtype policy of a model. Raises Unsupported for a mixture of dtypes for which Keras has none."""
    if not architecture.weights_dtype or architecture.weights_dtype == architecture.dtype:
        return architecture.dtype
    mixed = MIXED.get((architecture.dtype, architecture.weights_dtype))
    if mixed is None:
        raise Unsupported(f"of mixed dtypes Keras has the policies {' and '.join(MIXED.values())}")
    return mixed


def make_front(keras: Keras, architecture: Architecture) -> Any | None:
    """What stands before the layers: an Embedding, in one way a Masking, or None."""
    if architecture.mode == "masking-layer":
        return keras.layers.Masking(MASKED_BY, dtype=policy(architecture))
    table = architecture.embedding
    if table is None:
        return None
    return keras.layers.Embedding(
        table.tokens,
        table.features,
        mask_zero=table.mask_zero,
        embeddings_initializer="zeros",
        dtype=policy(architecture),
    )


def make_layers(keras: Keras, architecture: Architecture) -> list[RecurrentLayer]:
    """A keras.layers.SimpleRNN, LSTM or GRU for each layer, in a Bidirectional where it has two directions.

    In one way, a keras.layers.RNN of all their cells.
    """
    if architecture.mode == STACKED:
        cells = [_make_cell(keras, architecture, layer) for layer in architecture.layers]
        stack: RecurrentLayer = keras.layers.RNN(
            cells,
            return_sequences=architecture.return_sequences,
            return_state=architecture.return_state,
            stateful=architecture.stateful,
            dtype=policy(architecture),
        )
        return [stack]
    last = len(architecture.layers) - 1
    return [
        _make_layer(keras, architecture, layer, return_sequences=k < last or architecture.return_sequences)
        for k, layer in enumerate(architecture.layers)
    ]


def held_by(architecture: Architecture) -> list[tuple[Layer, ...]]:
    """Which layers of the architecture each layer of Keras holds: all of them in a stack of cells, and else one."""
    return [architecture.layers] if architecture.mode == STACKED else [(layer,) for layer in architecture.layers]


def make_behind(keras: Keras, architecture: Architecture) -> Any | None:
    """keras.layers.TimeDistributed of a layer that changes nothing, in the way that has it behind."""
    if architecture.mode != "time-distributed":
        return None
    same = keras.layers.Activation("linear", dtype=policy(architecture))
    return keras.layers.TimeDistributed(same, dtype=policy(architecture))


def _make_layer(keras: Keras, architecture: Architecture, layer: Layer, return_sequences: bool) -> RecurrentLayer:
    options = {
        "return_sequences": return_sequences,
        "return_state": architecture.return_state,
        "stateful": architecture.stateful,
        "go_backwards": layer.direction == "backward",
    }
    if architecture.mode == "cells":
        cell = _make_cell(keras, architecture, layer)
        rnn: RecurrentLayer = keras.layers.RNN(cell, **options, dtype=policy(architecture))
    else:
        gated = "gate" in layer.cell.activations
        way = arguments_of(architecture.mode, is_gated=gated, is_legacy=is_legacy(keras))
        kind = getattr(keras.layers, LAYERS[layer.cell.name])
        rnn = kind(**_arguments_of_cell(architecture, layer), **options, **way)
    if layer.is_bidirectional:
        rnn = keras.layers.Bidirectional(rnn, merge_mode=layer.merge, dtype=policy(architecture))
    return rnn


def _make_cell(keras: Keras, architecture: Architecture, layer: Layer) -> Any:
    """A keras.layers.SimpleRNNCell, LSTMCell or GRUCell."""
    kind = getattr(keras.layers, f"{LAYERS[layer.cell.name]}Cell")
    return kind(**_arguments_of_cell(architecture, layer))


def _arguments_of_cell(architecture: Architecture, layer: Layer) -> dict[str, Any]:
    """What a cell is given, and a layer that makes its own. Zeros, because other initialisers take longer."""
    return {
        "units": layer.units,
        **arguments(layer.cell),
        "use_bias": layer.use_bias,
        "kernel_initializer": "zeros",
        "recurrent_initializer": "zeros",  # the orthogonal one has no float16
        "dropout": layer.dropout,
        "recurrent_dropout": layer.recurrent_dropout,
        "dtype": policy(architecture),
    }


def directions(layer: Any) -> tuple[Any, ...]:
    """The recurrent layers of a layer: itself, or the two that a Bidirectional made of the one that it was given."""
    return (layer.forward_layer, layer.backward_layer) if hasattr(layer, "forward_layer") else (layer,)


def cells_of(layer: Any) -> Iterator[Any]:
    """The cells of a layer: one for each direction, or all that are stacked in it."""
    for direction in directions(layer):
        yield from getattr(direction.cell, "cells", (direction.cell,))


def states_of(architecture: Architecture, flat: Iterator[Any]) -> tuple[tuple[tuple[Any, ...], ...], ...]:
    """What Keras has in one list, nested like a State: one tensor for each part of each direction's state."""
    return each_state(lambda _: next(flat), state_shapes(architecture, ()))


def arrays_of(weights: Weights) -> Iterator[Array]:
    """The arrays of a model in the order and orientation of Keras' trainable variables."""
    if weights.embedding is not None:
        yield weights.embedding
    for layer in weights.layers:
        for direction in layer.directions:
            yield from keras_weights(direction.named)


def weights_of(architecture: Architecture, arrays: Iterator[Array]) -> Weights:
    """The canonical weights (or gradients) in arrays that have the order and orientation of Keras' variables.

    Others, such as the gradients of inputs and states, may come after them.
    """
    table = next(arrays) if architecture.embedding else None
    layers = []
    for layer in architecture.layers:
        count = 2 + layer.use_bias
        directions = [named_weights(*islice(arrays, count)) for _ in range(1 + layer.is_bidirectional)]
        layers.append(LayerWeights.of([LayerWeights(named) for named in directions]))
    return Weights(tuple(layers), table)
