"""The three models of trained.py in Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from trained import FEATURES, STEPS, TEXTS, TIMESTEPS, TOKENS, UNITS, Framework, classes, texts, wanted

from rnn_conformance.adapters.canonical import Call, Canonical
from rnn_conformance.adapters.reading import load


def made(name: str) -> Any:
    """A functional model."""
    keras.utils.set_random_seed(0)
    tokens = keras.Input((TIMESTEPS,), dtype="int32")
    x = layers.Embedding(TOKENS, FEATURES, mask_zero=name == "classifier", name="embed")(tokens)
    if name == "classifier":
        x = layers.LSTM(UNITS, name="lstm")(x)
    elif name == "tagger":
        x = layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True), name="lstm")(x)
    else:
        one, other = (layers.GRU(UNITS, return_sequences=True, return_state=True, name=n) for n in ("one", "other"))
        half = TIMESTEPS // 2
        y, h = one(x[:, :half])
        first, g = other(y)
        y, _ = one(x[:, half:], initial_state=[h])
        x = layers.Concatenate(axis=1)([first, other(y, initial_state=[g])[0]])
    return keras.Model(tokens, layers.Dense(classes(name), name="out")(x))


def train(model: Any, name: str) -> None:
    """By Model.fit with Adam."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    tokens = texts()
    model.fit(tokens, wanted(name, tokens), batch_size=TEXTS, epochs=STEPS, shuffle=False, verbose=0)


def run(model: Any, tokens: Any) -> Any:
    return keras.ops.convert_to_numpy(model(tokens))


def layer(model: Any, path: str) -> Any:
    return model.get_layer(path)


def arrays(layer: Any) -> Mapping[str, Any]:
    names = ("table",) if isinstance(layer, layers.Embedding) else ("kernel", "bias")
    return dict(zip(names, layer.get_weights(), strict=True))


def put_arrays(layer: Any, arrays: Mapping[str, Any]) -> None:
    layer.set_weights(list(arrays.values()))


def put(model: Any, canonical: Canonical) -> None:
    load(model.get_layer(canonical.path), canonical)


def again(model: Any, name: str, folder: Path) -> Any:
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


def program(layer: Any, call: Call, folder: Path) -> Callable[..., Any]:
    """A SavedModel of TensorFlow."""
    import tensorflow as tf

    x = keras.Input(call.inputs.shape[1:])
    state = () if call.initial_state is None else call.initial_state[0][0]
    starts = [keras.Input(part.shape[1:]) for part in state]
    masks = [] if call.mask is None else [keras.Input(call.mask.shape[1:], dtype="bool")]
    result = layer(x, initial_state=starts or None, mask=masks[0] if masks else None)
    model = keras.Model([x, *starts, *masks], result)
    model.export(folder / "layer", format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(folder / "layer")

    def run(x: Any, lengths: Any = None, initial_state: Any = None) -> Any:
        result = loaded.serve([tf.constant(a) for a in (x, *state, *([] if call.mask is None else [call.mask]))])
        return np.asarray(result[0] if isinstance(result, list | tuple) else result)

    return run


keras_models = Framework(
    "Keras", made, train, run, layer, put, arrays, put_arrays, "a .keras file", again, "a SavedModel", program
)
