"""What a ported model is in the words of PyTorch and Keras, and all words by the name of their framework."""

from __future__ import annotations

from rnn_conformance.adapters.canonical import Canonical
from rnn_conformance.adapters.graph import Graph
from rnn_conformance.conformance.porting.flax_words import LinenWords, NnxWords
from rnn_conformance.conformance.porting.padding import LENGTHS_OF
from rnn_conformance.conformance.porting.writing import Words


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

{LENGTHS_OF}'''
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

    def embedding(self, tokens: int, features: int, mask_zero: bool, dtype: str) -> str:
        return f"torch.nn.Embedding({tokens}, {features}{_option(dtype, 'torch.{}')})"

    def dense(self, features: int, units: int, bias: bool, dtype: str) -> str:
        options = ("" if bias else ", bias=False") + _option(dtype, "torch.{}")
        return f"torch.nn.Linear({features}, {units}{options})"

    def run(self, layer: str, x: str, tokens: str, kept: Canonical, wants_final: bool) -> str:
        options = [f"lengths_of({tokens})"] if tokens else []
        options += ["final=True"] if wants_final else []
        return f"run({', '.join([layer, x, *options])})"

    def activation(self, name: str, x: str) -> str:
        return f"torch.softmax({x}, -1)" if name == "softmax" else f"torch.{name}({x})"

    def after(self, graph: Graph) -> list[str]:
        return []


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

    def embedding(self, tokens: int, features: int, mask_zero: bool, dtype: str) -> str:
        options = (", mask_zero=True" if mask_zero else "") + _option(dtype, "'{}'")
        return f"built(keras.layers.Embedding({tokens}, {features}{options}), None, None)"

    def dense(self, features: int, units: int, bias: bool, dtype: str) -> str:
        options = ("" if bias else ", use_bias=False") + _option(dtype, "'{}'")
        return f"built(keras.layers.Dense({units}{options}), None, None, {features})"

    def run(self, layer: str, x: str, tokens: str, kept: Canonical, wants_final: bool) -> str:
        return f"{layer}({x})"

    def activation(self, name: str, x: str) -> str:
        return f"keras.ops.{name}({x})"

    def after(self, graph: Graph) -> list[str]:
        names = [f"x{k}" for k in range(len(graph.inputs))]
        lines = [
            "def functional(self):",
            '    """The same as a functional model, of Keras\' own layers alone: a file of it needs no other class."""',
        ]
        for name, kind in zip(names, graph.inputs, strict=True):
            shape, dtype = ("", ", dtype='int32'") if kind == "tokens" else (f" {kind}", "")
            lines.append(f"    {name} = keras.Input(({graph.timesteps},{shape}){dtype})")
        given = ", ".join(names)
        lines.append(f"    return keras.Model({given if len(names) == 1 else f'[{given}]'}, self.call({given}))")
        return [*(f"    {line}" for line in lines), ""]


def _option(dtype: str, told: str) -> str:
    """The option for a dtype that is not the usual one."""
    return "" if dtype == "float32" else f", dtype={told.format(dtype)}"


WORDS: dict[str, Words] = {
    "torch": TorchWords(),
    "keras": KerasWords(),
    "flax-nnx": NnxWords(),
    "flax-linen": LinenWords(),
}
"""Every framework that a model can be ported to, by its name."""
