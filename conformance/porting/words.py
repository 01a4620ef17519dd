"""What a ported model is in the words of PyTorch, Keras and Flax NNX."""

from __future__ import annotations

from rnn_conformance.adapters.canonical import Canonical, Refused
from rnn_conformance.conformance.porting.writing import Words

_MASKED = '''
def lengths_of(tokens):
    """How many timesteps of each sequence are valid: those before its padding, which is token 0."""
    valid = tokens != 0
    lengths = valid.sum(1)
    if bool((valid[:, 1:] & ~valid[:, :-1]).any()) or not bool((lengths > 0).all()):
        raise ValueError("padding has to come after what is valid, and something has to be valid")
    return lengths
'''


class TorchWords:
    """torch.nn."""

    name = "PyTorch"
    before = f'''
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Hole(torch.nn.Module):
    """Something that could not be ported."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, *x):
        raise NotImplementedError(f"write it by hand: {{self.what}}")


def run(rnn, x, lengths=None, final=False):
    """All outputs, or the final one: of both directions side by side, and of each sequence at its own end."""
    if lengths is not None:
        x = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    outputs, state = rnn(x)
    h = state[0] if isinstance(state, tuple) else state
    if final:
        return torch.cat(list(h), -1)
    return outputs if lengths is None else pad_packed_sequence(outputs, batch_first=True)[0]

{_MASKED}'''
    begins = '''
class Ported(torch.nn.Module):
    """The model."""

    def __init__(self):
        super().__init__()'''
    forward = "    def forward(self, {}):"
    loads = '''
"""Loads the ported model: python load.py, or `from load import load`."""

from pathlib import Path

from model import Ported
from safetensors.torch import load_file


def load():
    model = Ported()
    model.load_state_dict(load_file(Path(__file__).with_name("weights.safetensors")))
    return model.eval()


if __name__ == "__main__":
    print(load())
'''

    def recurrent(self, kept: Canonical, wants_final: bool) -> str:
        (layer,) = kept.architecture.layers
        name = {"simple_rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}[layer.cell.name]
        options = ["batch_first=True"]
        options += [] if layer.use_bias else ["bias=False"]
        options += ["bidirectional=True"] if layer.is_bidirectional else []
        options += ['nonlinearity="relu"'] if layer.cell.activation == "relu" else []
        options += [f"proj_size={p}"] if (p := getattr(layer.cell, "projection", 0)) else []
        options += [] if kept.architecture.dtype == "float32" else [f"dtype=torch.{kept.architecture.dtype}"]
        return f"torch.nn.{name}({layer.features}, {layer.units}, {', '.join(options)})"

    def embedding(self, tokens: int, features: int, mask_zero: bool) -> str:
        return f"torch.nn.Embedding({tokens}, {features})"

    def dense(self, features: int, units: int, bias: bool) -> str:
        return f"torch.nn.Linear({features}, {units}{'' if bias else ', bias=False'})"

    def run(self, layer: str, x: str, tokens: str, kept: Canonical, wants_final: bool) -> str:
        options = [f"lengths_of({tokens})"] if tokens else []
        options += ["final=True"] if wants_final else []
        return f"run({', '.join([layer, x, *options])})"

    def activation(self, name: str, x: str) -> str:
        return f"torch.softmax({x}, -1)" if name == "softmax" else f"torch.{name}({x})"


class KerasWords:
    """keras.layers, on whichever backend."""

    name = "Keras"
    before = '''
import keras


class Hole(keras.layers.Layer):
    """Something that could not be ported."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def call(self, *x):
        raise NotImplementedError(f"write it by hand: {self.what}")


def built(layer, *shape):
    """The layer with its weights."""
    layer.build(shape)
    return layer
'''
    begins = '''
class Ported(keras.Model):
    """The model."""

    def __init__(self):
        super().__init__()'''
    forward = "    def call(self, {}):"
    loads = '''
"""Loads the ported model: python load.py, or `from load import load`."""

from pathlib import Path

from model import Ported
from safetensors.numpy import load_file


def load():
    model = Ported()
    arrays = load_file(Path(__file__).with_name("weights.safetensors"))
    for name in sorted({key.rpartition(".")[0] for key in arrays}):
        layer = getattr(model, name)
        layer.set_weights([arrays[f"{name}.{k}"] for k in range(len(layer.weights))])
    return model


if __name__ == "__main__":
    print(load())
'''

    def recurrent(self, kept: Canonical, wants_final: bool) -> str:
        (layer,) = kept.architecture.layers
        name = {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}[layer.cell.name]
        options = [] if wants_final else ["return_sequences=True"]
        options += [] if layer.cell.activation == "tanh" else [f'activation="{layer.cell.activation}"']
        gate = layer.cell.activations.get("gate", "sigmoid")
        options += [] if gate == "sigmoid" else [f'recurrent_activation="{gate}"']
        options += ["reset_after=False"] if getattr(layer.cell, "reset", "after") == "before" else []
        options += [] if layer.use_bias else ["use_bias=False"]
        options += ["go_backwards=True"] if layer.direction == "backward" else []
        options += [] if kept.architecture.dtype == "float32" else [f'dtype="{kept.architecture.dtype}"']
        made = f"keras.layers.{name}({', '.join([str(layer.units), *options])})"
        if layer.is_bidirectional:
            merge = "" if layer.merge == "concat" else f', merge_mode="{layer.merge}"'
            made = f"keras.layers.Bidirectional({made}{merge})"
        return f"built({made}, None, None, {layer.features})"

    def embedding(self, tokens: int, features: int, mask_zero: bool) -> str:
        masks = ", mask_zero=True" if mask_zero else ""
        return f"built(keras.layers.Embedding({tokens}, {features}{masks}), None, None)"

    def dense(self, features: int, units: int, bias: bool) -> str:
        return f"built(keras.layers.Dense({units}{'' if bias else ', use_bias=False'}), None, None, {features})"

    def run(self, layer: str, x: str, tokens: str, kept: Canonical, wants_final: bool) -> str:
        return f"{layer}({x})"

    def activation(self, name: str, x: str) -> str:
        return f"keras.ops.{name}({x})"


class NnxWords:
    """flax.nnx."""

    name = "Flax NNX"
    before = f'''
import jax
from flax import nnx


class Hole(nnx.Module):
    """Something that could not be ported."""

    def __init__(self, what):
        self.what = what

    def __call__(self, *x):
        raise NotImplementedError(f"write it by hand: {{self.what}}")


def gru(features, units, **options):
    """A GRUCell with the recurrent bias that other frameworks have: its dense_h becomes a layer with a bias."""
    cell = nnx.GRUCell(features, units, rngs=nnx.Rngs(0), **options)
    cell.dense_h = nnx.Linear(units, 3 * units, rngs=nnx.Rngs(0))
    return cell


def run(rnn, x, lengths=None, final=False):
    """All outputs, or the final one: of both directions side by side, and of each sequence at its own end."""
    carry, outputs = rnn(x, seq_lengths=lengths, return_carry=True)
    if not final:
        return outputs
    each = carry if hasattr(rnn, "forward_rnn") else (carry,)
    return jax.numpy.concatenate([h[1] if isinstance(h, tuple) else h for h in each], -1)

{_MASKED}'''
    begins = '''
class Ported(nnx.Module):
    """The model."""

    def __init__(self):'''
    forward = "    def __call__(self, {}):"
    loads = '''
"""Loads the ported model: python load.py, or `from load import load`."""

from pathlib import Path

from flax import nnx
from jax import numpy as jnp
from model import Ported
from safetensors.numpy import load_file


def load():
    model = Ported()
    arrays = load_file(Path(__file__).with_name("weights.safetensors"))
    state = nnx.state(model, nnx.Param)
    for path, param in nnx.to_flat_state(state):
        param[...] = jnp.array(arrays["/".join(map(str, path))])
    nnx.update(model, state)
    return model


if __name__ == "__main__":
    print(load())
'''

    def recurrent(self, kept: Canonical, wants_final: bool) -> str:
        (layer,) = kept.architecture.layers
        cell = layer.cell
        if layer.merge == "ave" or (layer.merge != "concat" and wants_final):
            raise Refused(kept.path, "merge", f"{layer.merge} of two directions has to be written by hand in Flax NNX")
        options = [] if cell.activation == "tanh" else [f"activation_fn={_JAX[cell.activation]}"]
        gate = cell.activations.get("gate", "sigmoid")
        options += [] if gate == "sigmoid" else [f"gate_fn={_JAX[gate]}"]
        sizes = f"{layer.features}, {layer.units}"
        if cell.name == "gru" and "c" in kept.weights.layers[0].named:
            made = f"gru({', '.join([sizes, *options])})"
        else:
            name = {"simple_rnn": "SimpleCell", "lstm": "OptimizedLSTMCell", "gru": "GRUCell"}[cell.name]
            made = f"nnx.{name}({', '.join([sizes, *options, 'rngs=nnx.Rngs(0)'])})"
        if layer.is_bidirectional:
            merge = {"sum": ", merge_fn=jax.numpy.add", "mul": ", merge_fn=jax.numpy.multiply"}.get(layer.merge, "")
            return f"nnx.Bidirectional(nnx.RNN({made}), nnx.RNN({made}){merge})"
        back = f", reverse=True, keep_order={kept.choices.backward_outputs == 'aligned'}"
        return f"nnx.RNN({made}{back if layer.direction == 'backward' else ''})"

    def embedding(self, tokens: int, features: int, mask_zero: bool) -> str:
        return f"nnx.Embed({tokens}, {features}, rngs=nnx.Rngs(0))"

    def dense(self, features: int, units: int, bias: bool) -> str:
        return f"nnx.Linear({features}, {units}, {'' if bias else 'use_bias=False, '}rngs=nnx.Rngs(0))"

    def run(self, layer: str, x: str, tokens: str, kept: Canonical, wants_final: bool) -> str:
        options = [f"lengths_of({tokens})"] if tokens else []
        options += ["final=True"] if wants_final else []
        return f"run({', '.join([layer, x, *options])})"

    def activation(self, name: str, x: str) -> str:
        return f"jax.nn.{name}({x})"


_JAX = {
    "relu": "jax.nn.relu",
    "tanh": "jax.numpy.tanh",
    "sigmoid": "jax.nn.sigmoid",
    "linear": "jax.nn.identity",
    "hard_sigmoid": "jax.nn.hard_sigmoid",
}

WORDS: dict[str, Words] = {"torch": TorchWords(), "keras": KerasWords(), "flax-nnx": NnxWords()}
"""Every framework that a model can be ported to, by its name."""
