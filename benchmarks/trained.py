"""Three small models as people write them, each trained for some steps in its framework: what ports.py carries over.

A text classifier with an embedding, a mask and an LSTM; a character model of two GRUs, whose state is carried from one
half of a text to the next; and a tagger with an LSTM in both directions. Each is called with tokens alone, of which 0
is padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

NAMES = ("classifier", "characters", "tagger")
TOKENS, FEATURES, UNITS, STEPS = 20, 6, 8, 60
_TEXTS, _TIMESTEPS = 32, 20


def texts(seed: int = 0, count: int = _TEXTS) -> np.ndarray:
    """Tokens (texts, timesteps) of different lengths, each following from the one before it more often than not."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, TOKENS, (count, _TIMESTEPS))
    follows = rng.random(tokens.shape) < 0.7
    for t in range(1, _TIMESTEPS):
        tokens[:, t] = np.where(follows[:, t], tokens[:, t - 1] % (TOKENS - 1) + 1, tokens[:, t])
    lengths = np.linspace(_TIMESTEPS, 4, count).astype(int)
    tokens[np.arange(_TIMESTEPS) >= lengths[:, np.newaxis]] = 0
    return tokens.astype(np.int32)


def wanted(name: str, tokens: np.ndarray) -> np.ndarray:
    """What a model learns: whether the last token is above the first; which comes next; whether one follows another."""
    after = np.concatenate([tokens[:, 1:], 0 * tokens[:, :1]], axis=1)
    if name == "classifier":
        last = tokens[np.arange(len(tokens)), (tokens != 0).sum(1) - 1]
        return (last > tokens[:, 0]).astype(np.int32)
    return after if name == "characters" else (after > tokens).astype(np.int32)


def classes(name: str) -> int:
    """How many there are to choose from."""
    return TOKENS if name == "characters" else 2


def in_torch(name: str) -> Any:
    """Trained by torch.optim.Adam."""
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(TOKENS, FEATURES)
            if name == "characters":
                self.one = nn.GRU(FEATURES, UNITS, batch_first=True)
                self.other = nn.GRU(UNITS, UNITS, batch_first=True)
            else:
                self.lstm = nn.LSTM(FEATURES, UNITS, batch_first=True, bidirectional=name == "tagger")
            self.out = nn.Linear(UNITS * (1 + (name == "tagger")), classes(name))

        def forward(self, tokens: Any) -> Any:
            x = self.embed(tokens)
            if name == "tagger":
                return self.out(self.lstm(x)[0])
            if name == "classifier":
                lengths = (tokens != 0).sum(1)
                packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
                return self.out(self.lstm(packed)[1][0][-1])
            halves, h, g = [], None, None
            for half in x.chunk(2, 1):
                y, h = self.one(half, h)
                y, g = self.other(y, g)
                halves.append(y)
            return self.out(torch.cat(halves, 1))

    torch.manual_seed(0)
    model, tokens = Model(), texts()
    right = torch.tensor(wanted(name, tokens)).long().flatten()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(STEPS):
        optimizer.zero_grad()
        found = model(torch.tensor(tokens).long()).reshape(len(right), -1)
        torch.nn.functional.cross_entropy(found, right).backward()
        optimizer.step()
    return model.eval()


def in_keras(name: str) -> Any:
    """Trained by Model.fit with Adam."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    tokens = keras.Input((_TIMESTEPS,), dtype="int32")
    x = layers.Embedding(TOKENS, FEATURES, mask_zero=name == "classifier", name="embed")(tokens)
    if name == "classifier":
        x = layers.LSTM(UNITS, name="lstm")(x)
    elif name == "tagger":
        x = layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True), name="lstm")(x)
    else:
        one, other = (layers.GRU(UNITS, return_sequences=True, return_state=True, name=n) for n in ("one", "other"))
        half = _TIMESTEPS // 2
        y, h = one(x[:, :half])
        first, g = other(y)
        y, _ = one(x[:, half:], initial_state=[h])
        x = layers.Concatenate(axis=1)([first, other(y, initial_state=[g])[0]])
    model = keras.Model(tokens, layers.Dense(classes(name), name="out")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    given = texts()
    model.fit(given, wanted(name, given), batch_size=_TEXTS, epochs=STEPS, shuffle=False, verbose=0)
    return model


def in_nnx(name: str) -> Any:
    """Trained by optax.adam."""
    import jax
    import optax
    from flax import nnx

    class Model(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.embed = nnx.Embed(TOKENS, FEATURES, rngs=rngs)
            if name == "characters":
                self.one = nnx.RNN(nnx.GRUCell(FEATURES, UNITS, rngs=rngs))
                self.other = nnx.RNN(nnx.GRUCell(UNITS, UNITS, rngs=rngs))
            elif name == "tagger":
                each = [nnx.RNN(nnx.LSTMCell(FEATURES, UNITS, rngs=rngs)) for _ in range(2)]
                self.lstm = nnx.Bidirectional(*each)
            else:
                self.lstm = nnx.RNN(nnx.OptimizedLSTMCell(FEATURES, UNITS, rngs=rngs))
            self.out = nnx.Linear(UNITS * (1 + (name == "tagger")), classes(name), rngs=rngs)

        def __call__(self, tokens: Any) -> Any:
            x = self.embed(tokens)
            if name == "tagger":
                return self.out(self.lstm(x))
            if name == "classifier":
                (_, h), _ = self.lstm(x, seq_lengths=(tokens != 0).sum(1), return_carry=True)
                return self.out(h)
            halves, h, g = [], None, None
            for half in jax.numpy.split(x, 2, axis=1):
                h, y = self.one(half, initial_carry=h, return_carry=True)
                g, y = self.other(y, initial_carry=g, return_carry=True)
                halves.append(y)
            return self.out(jax.numpy.concatenate(halves, 1))

    model, tokens = Model(nnx.Rngs(0)), texts()
    right = wanted(name, tokens)
    optimizer = nnx.Optimizer(model, optax.adam(0.01), wrt=nnx.Param)

    @nnx.jit
    def step(model: Any, optimizer: Any) -> None:
        def loss(model: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(model(tokens), right).mean()

        optimizer.update(model, nnx.grad(loss)(model))

    for _ in range(STEPS):
        step(model, optimizer)
    return model


TRAINED: Mapping[str, Callable[[str], Any]] = {"torch": in_torch, "keras": in_keras, "flax-nnx": in_nnx}
"""How a model of that name is trained in each framework."""
