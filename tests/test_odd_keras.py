"""An adversary's Keras models: each is right, and has to be read rightly or refused, never something in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from layers import TARGETS
from odd_shapes import TOKENS, Odd, X, judge

pytestmark = [
    pytest.mark.filterwarnings("default"),  # what frameworks warn of among themselves is no error of ours
    pytest.mark.skipif("keras" not in TARGETS, reason="Keras is not installed"),
]
if "keras" in TARGETS:
    import keras
    from keras import layers, ops

    class Renamed(layers.LSTM):  # type: ignore[misc]
        """A subclass that does nothing else."""

    class Doubled(layers.GRU):  # type: ignore[misc]
        """It doubles what it is given before Keras sees it."""

        def __call__(self, x: Any, **given: Any) -> Any:
            return super().__call__(2 * x, **given)

    class FromOnes(layers.GRUCell):  # type: ignore[misc]
        """Sequences begin at another state than zero."""

        def get_initial_state(self, batch_size: Any = None) -> Any:
            return [1 + state for state in super().get_initial_state(batch_size)]

    class Subclassed(keras.Model):  # type: ignore[misc]
        """Two layers of one name, one of which is called twice, and a loop of a cell."""

        def __init__(self) -> None:
            super().__init__()
            self.one = layers.LSTM(4, return_sequences=True, name="lstm")
            self.other = layers.LSTM(4, return_sequences=True, name="lstm")
            self.cell = layers.SimpleRNNCell(3, activation="relu", name="cell")

        def call(self, x: Any) -> Any:
            x = self.other(self.one(self.one(x)))
            state = self.cell.get_initial_state(batch_size=3)
            for t in range(7):
                _, state = self.cell(x[:, t], state)
            return state[0]


def sequential(*given: Any, tokens: bool = False) -> Any:
    start = [keras.Input((None,), dtype="int32")] if tokens else [keras.Input((None, 4))]
    return keras.Sequential([*start, *given])


def shared() -> Any:
    gru, x = layers.GRU(3, return_sequences=True, name="gru"), keras.Input((None, 4))
    return keras.Model(x, layers.Add()([gru(x), gru(-x)]))


def subclassed() -> Any:
    model = Subclassed()
    model(X)
    return model


def encoder_and_decoder() -> Any:
    x = keras.Input((None, 4))
    _, h, c = layers.LSTM(3, return_state=True, name="encoder")(x)
    y = layers.LSTM(3, return_sequences=True, name="decoder")(x, initial_state=[h, c])
    return keras.Model(x, y)


def nested() -> Any:
    inner = keras.Sequential([keras.Input((None, 4)), layers.GRU(4, return_sequences=True, name="gru")], name="inner")
    return sequential(inner, layers.GRU(2, reset_after=False, name="gru"))


def masked() -> Any:
    both = layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="ave", name="both")
    return sequential(layers.Masking(name="masking"), both, layers.LSTM(2, go_backwards=True, name="back"))


def frozen() -> Any:
    made = layers.LSTM(3, name="lstm", dropout=0.3, recurrent_dropout=0.2, kernel_regularizer="l2")
    made.trainable = False
    return sequential(made)


def stacked_cells() -> Any:
    cells = [layers.LSTMCell(3), layers.GRUCell(4), layers.SimpleRNNCell(2)]
    return sequential(layers.RNN(cells, name="stack"))


def by_sentence() -> Any:
    x = keras.Input((2, 7, 4))
    return keras.Model(x, layers.TimeDistributed(layers.GRU(3, name="gru"), name="each")(x))


def unlike() -> Any:
    back = layers.LSTM(3, go_backwards=True, activation="relu")
    return sequential(layers.Bidirectional(layers.LSTM(3), backward_layer=back, name="both"))


def patched() -> Any:
    made = layers.GRU(3, name="gru")
    model = sequential(made)
    plain = made.call
    made.call = lambda *args, **kwargs: -plain(*args, **kwargs)
    return model


def convolved() -> Any:
    return sequential(layers.Reshape((-1, 2, 2)), layers.ConvLSTM1D(2, 1, name="convolved"))


SENTENCES = np.stack([X, -X], axis=1)
ODD = {
    "shared layer": lambda: Odd(shared, {"gru": 2}),
    "two layers of one name, one of them called twice": lambda: Odd(subclassed, {"lstm": 2, "lstm (2)": 1, "cell": 7}),
    "state handed on": lambda: Odd(encoder_and_decoder, {"encoder": 1, "decoder": 1}),
    "model in a model, one name in both": lambda: Odd(nested, {"inner/gru": 1, "gru": 1}),
    "masked, both directions averaged, then backwards": lambda: Odd(masked, {"both": 1, "back": 1}),
    "frozen, with dropout": lambda: Odd(frozen, {"lstm": 1}),
    "stack of unlike cells": lambda: Odd(stacked_cells, {"stack": 1}),
    "of each sentence": lambda: Odd(by_sentence, {"each/gru": 2}, inputs=SENTENCES),
    "directions that are not alike": lambda: Odd(unlike, {}, ("backward_layer",)),
    "call by hand": lambda: Odd(patched, {}, ("call",)),
    "call of its own": lambda: Odd(lambda: sequential(Doubled(3)), {}, ("__call__",)),
    "begins at ones": lambda: Odd(lambda: sequential(layers.RNN(FromOnes(3))), {}, ("get_initial_state",)),
    "activation of one's own": lambda: Odd(
        lambda: sequential(layers.LSTM(3, activation=lambda x: ops.tanh(x) * 2)), {}, ("activation",)
    ),
    "leaky activation": lambda: Odd(
        lambda: sequential(layers.SimpleRNN(3, activation="leaky_relu")), {}, ("activation",)
    ),
    "convolutional LSTM": lambda: Odd(convolved, {}, ("cell",)),
    "subclass that does nothing": lambda: Odd(lambda: sequential(Renamed(3, name="mine")), {"mine": 1}),
    "unrolled, hard gates, no bias": lambda: Odd(
        lambda: keras.Sequential(
            [
                keras.Input((7, 4)),
                layers.GRU(3, unroll=True, recurrent_activation="hard_sigmoid", use_bias=False, name="gru"),
            ]
        ),
        {"gru": 1},
    ),
    "embedding that masks zero": lambda: Odd(
        lambda: sequential(layers.Embedding(20, 4, mask_zero=True), layers.GRU(3, name="gru"), tokens=True),
        {"gru": 1},
        inputs=np.where(np.arange(7) < np.array([[3], [7], [5]]), TOKENS, 0),
    ),
    "both directions apart": lambda: Odd(
        lambda: keras.Model(
            x := keras.Input((None, 4)), layers.Bidirectional(layers.GRU(3), merge_mode=None, name="both")(x)
        ),
        {},
        ("merge_mode",),
    ),
    "mixed precision": lambda: Odd(lambda: sequential(layers.GRU(3, dtype="mixed_bfloat16", name="gru")), {"gru": 1}),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_model(name: str) -> None:
    """Twenty of them."""
    keras.utils.set_random_seed(0)
    judge(ODD[name]())
