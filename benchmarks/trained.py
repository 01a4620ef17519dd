"""What three small models learn, and for how long: those of trained_torch.py, trained_keras.py and trained_flax.py.

A text classifier with an embedding, a mask and an LSTM; a character model of two GRUs, whose state is carried from one
half of a text to the next; and a tagger with an LSTM in both directions. Each is called with tokens alone, of which 0
is padding. Their layers have the same names in each framework: embed, lstm or one and other, and out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("classifier", "characters", "tagger")
TOKENS, FEATURES, UNITS, STEPS = 20, 6, 8, 60
TEXTS, TIMESTEPS = 32, 20


@dataclass(frozen=True)
class Framework:
    """How people make, train, call, save and export the three models in it.

    `made` is an untrained model by its name. `layer` is one of its layers, `put` gives it the recurrent one of a
    canonical's path; `arrays` and `put_arrays` are of an embedding (``table``) or a dense layer (``kernel``, ``bias``).
    `again` is what comes back of a model that was saved in a folder, `saved` in which format. `program` is a recurrent
    layer, exported for what reached it in a call and loaded again: a function of these arrays; `exported` says by what.
    """

    name: str
    made: Callable[[str], Any]
    train: Callable[[Any, str], None]
    run: Callable[[Any, Any], Any]
    layer: Callable[[Any, str], Any]
    put: Callable[[Any, Any], None]
    arrays: Callable[[Any], Mapping[str, Any]]
    put_arrays: Callable[[Any, Mapping[str, Any]], None]
    saved: str
    again: Callable[[Any, str, Path], Any]
    exported: str
    program: Callable[[Any, Any, Path], Callable[..., Any]]


def texts(seed: int = 0, count: int = TEXTS) -> np.ndarray:
    """Tokens (texts, timesteps) of different lengths, each following from the one before it more often than not."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, TOKENS, (count, TIMESTEPS))
    follows = rng.random(tokens.shape) < 0.7
    for t in range(1, TIMESTEPS):
        tokens[:, t] = np.where(follows[:, t], tokens[:, t - 1] % (TOKENS - 1) + 1, tokens[:, t])
    lengths = np.linspace(TIMESTEPS, 4, count).astype(int)
    tokens[np.arange(TIMESTEPS) >= lengths[:, np.newaxis]] = 0
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
