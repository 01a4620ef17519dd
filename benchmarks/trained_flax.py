"""The three models of trained.py in Flax NNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import orbax.checkpoint
from flax import nnx
from jax import export
from jax import numpy as jnp
from trained import FEATURES, STEPS, TOKENS, UNITS, Framework, classes, texts, wanted

from rnn_conformance.adapters.canonical import Call, Canonical
from rnn_conformance.adapters.reading import build


class Classifier(nnx.Module):
    """The last state of an LSTM under a mask."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(TOKENS, FEATURES, rngs=rngs)
        self.lstm = nnx.RNN(nnx.OptimizedLSTMCell(FEATURES, UNITS, rngs=rngs))
        self.out = nnx.Linear(UNITS, classes("classifier"), rngs=rngs)

    def __call__(self, tokens: Any) -> Any:
        lengths = (tokens != 0).sum(1)
        (_, h), _ = self.lstm(self.embed(tokens), seq_lengths=lengths, return_carry=True)
        return self.out(h)


class Characters(nnx.Module):
    """Two GRUs, whose states are carried from one half of a text to the next."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(TOKENS, FEATURES, rngs=rngs)
        self.one = nnx.RNN(nnx.GRUCell(FEATURES, UNITS, rngs=rngs))
        self.other = nnx.RNN(nnx.GRUCell(UNITS, UNITS, rngs=rngs))
        self.out = nnx.Linear(UNITS, classes("characters"), rngs=rngs)

    def __call__(self, tokens: Any) -> Any:
        halves, h, g = [], None, None
        for half in jnp.split(self.embed(tokens), 2, axis=1):
            h, y = self.one(half, initial_carry=h, return_carry=True)
            g, y = self.other(y, initial_carry=g, return_carry=True)
            halves.append(y)
        return self.out(jnp.concatenate(halves, 1))


class Tagger(nnx.Module):
    """An LSTM in both directions."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(TOKENS, FEATURES, rngs=rngs)
        each = [nnx.RNN(nnx.LSTMCell(FEATURES, UNITS, rngs=rngs)) for _ in range(2)]
        self.lstm = nnx.Bidirectional(*each)
        self.out = nnx.Linear(2 * UNITS, classes("tagger"), rngs=rngs)

    def __call__(self, tokens: Any) -> Any:
        return self.out(self.lstm(self.embed(tokens)))


def made(name: str) -> Any:
    return {"classifier": Classifier, "characters": Characters, "tagger": Tagger}[name](nnx.Rngs(0))


def train(model: Any, name: str) -> None:
    """By optax.adam."""
    tokens = jnp.array(texts())
    right = jnp.array(wanted(name, texts()))
    optimizer = nnx.Optimizer(model, optax.adam(0.01), wrt=nnx.Param)

    @nnx.jit
    def step(model: Any, optimizer: Any) -> None:
        def loss(model: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(model(tokens), right).mean()

        optimizer.update(model, nnx.grad(loss)(model))

    for _ in range(STEPS):
        step(model, optimizer)


def run(model: Any, tokens: Any) -> Any:
    return np.asarray(model(jnp.array(tokens)))


def arrays(layer: Any) -> Mapping[str, Any]:
    if isinstance(layer, nnx.Embed):
        return {"table": np.asarray(layer.embedding[...])}
    return {"kernel": np.asarray(layer.kernel[...]), "bias": np.asarray(layer.bias[...])}


def put_arrays(layer: Any, arrays: Mapping[str, Any]) -> None:
    for name, array in arrays.items():
        getattr(layer, "embedding" if name == "table" else name)[...] = jnp.array(array)


def put(model: Any, canonical: Canonical) -> None:
    """A new layer in the place of the old one: a GRUCell of Flax has one bias, and `build` gives it the other."""
    setattr(model, canonical.path, build("flax-nnx", canonical))


def again(model: Any, name: str, folder: Path) -> Any:
    """Its state as a checkpoint of Orbax, restored into what is left of the model."""
    graph, state = nnx.split(model)
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder.absolute() / "model", state)
        checkpointer.wait_until_finished()
        return nnx.merge(graph, checkpointer.restore(folder.absolute() / "model", state))


def program(layer: Any, call: Call, folder: Path) -> Callable[..., Any]:
    """By jax.export, as bytes in a file."""
    state = () if call.initial_state is None else tuple(map(jnp.array, call.initial_state[0][0]))
    ends = () if call.mask is None else (jnp.array(call.mask.sum(-1)),)
    graph, kept = nnx.split(layer)

    def called(x: Any, *given: Any) -> Any:
        carry = given[: len(state)][::-1]  # Flax has (c, h)
        start = (carry if len(carry) > 1 else carry[0]) if carry else None
        here = nnx.merge(graph, jax.tree.map(jnp.asarray, kept))  # variables that are of this trace
        return here(x, initial_carry=start, seq_lengths=given[-1] if ends else None)

    exported = export.export(jax.jit(called))(jnp.array(call.inputs), *state, *ends)
    (folder / "layer.bin").write_bytes(exported.serialize())
    loaded = export.deserialize(bytearray((folder / "layer.bin").read_bytes()))

    def run(x: Any, lengths: Any = None, initial_state: Any = None) -> Any:
        return np.asarray(loaded.call(jnp.array(x), *state, *ends))

    return run


flax_models = Framework(
    "Flax NNX",
    made,
    train,
    run,
    getattr,
    put,
    arrays,
    put_arrays,
    "a checkpoint of Orbax",
    again,
    "jax.export",
    program,
)
