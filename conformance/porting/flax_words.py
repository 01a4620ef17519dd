"""What a ported model is in the words of Flax NNX and of Flax Linen."""

from __future__ import annotations

from rnn_conformance.adapters.canonical import Canonical, Refused
from rnn_conformance.adapters.graph import Graph
from rnn_conformance.conformance.porting.padding import LENGTHS_OF

_RUN = '''
def run(rnn, x, lengths=None, final=False):
    """All outputs, or the final one: of both directions side by side, and of each sequence at its own end."""
    carry, outputs = rnn(x, seq_lengths=lengths, return_carry=True)
    if not final:
        return outputs
    each = carry if hasattr(rnn, "forward_rnn") else (carry,)
    return jax.numpy.concatenate([h[1] if isinstance(h, tuple) else h for h in each], -1)
'''


class FlaxWords:
    """What both have in common: `flax` is the name of the module."""

    flax: str

    def recurrent(self, kept: Canonical, wants_final: bool) -> str:
        (layer,) = kept.architecture.layers
        if kept.architecture.dtype != "float32" or kept.architecture.weights_dtype:
            raise Refused(kept.path, "dtype", f"{kept.architecture.dtype} has to be written by hand in Flax")
        if layer.merge == "ave" or (layer.merge != "concat" and wants_final):
            raise Refused(kept.path, "merge", f"{layer.merge} of two directions has to be written by hand in Flax")
        cell = self.cell(kept)
        if layer.is_bidirectional:
            merge = {"sum": ", merge_fn=jax.numpy.add", "mul": ", merge_fn=jax.numpy.multiply"}.get(layer.merge, "")
            return f"{self.flax}.Bidirectional({self.flax}.RNN({cell}), {self.flax}.RNN({cell}){merge})"
        back = f", reverse=True, keep_order={kept.choices.backward_outputs == 'aligned'}"
        return f"{self.flax}.RNN({cell}{back if layer.direction == 'backward' else ''})"

    def cell(self, kept: Canonical) -> str:
        """The expression that makes the cell of a layer."""
        raise NotImplementedError

    def run(self, layer: str, x: str, tokens: str, kept: Canonical, wants_final: bool) -> str:
        options = [f"lengths_of({tokens})"] if tokens else []
        options += ["final=True"] if wants_final else []
        return f"run({', '.join([layer, x, *options])})"

    def activation(self, name: str, x: str) -> str:
        return f"jax.nn.{name}({x})"

    def after(self, graph: Graph) -> list[str]:
        return []


def _activations(kept: Canonical) -> list[str]:
    """The options of a cell whose activations are not the usual ones."""
    cell = kept.architecture.layers[0].cell
    options = [] if cell.activation == "tanh" else [f"activation_fn={_JAX[cell.activation]}"]
    gate = cell.activations.get("gate", "sigmoid")
    return options if gate == "sigmoid" else [*options, f"gate_fn={_JAX[gate]}"]


class NnxWords(FlaxWords):
    """flax.nnx."""

    flax = "nnx"
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


{_RUN.strip()}

{LENGTHS_OF}'''
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

    def cell(self, kept: Canonical) -> str:
        (layer,) = kept.architecture.layers
        sizes = f"{layer.features}, {layer.units}"
        if layer.cell.name == "gru" and "c" in kept.weights.layers[0].named:
            return f"gru({', '.join([sizes, *_activations(kept)])})"
        name = {"simple_rnn": "SimpleCell", "lstm": "OptimizedLSTMCell", "gru": "GRUCell"}[layer.cell.name]
        return f"nnx.{name}({', '.join([sizes, *_activations(kept), 'rngs=nnx.Rngs(0)'])})"

    def embedding(self, tokens: int, features: int, mask_zero: bool, dtype: str) -> str:
        return f"nnx.Embed({tokens}, {features}, rngs=nnx.Rngs(0))"

    def dense(self, features: int, units: int, bias: bool, dtype: str) -> str:
        return f"nnx.Linear({features}, {units}, {'' if bias else 'use_bias=False, '}rngs=nnx.Rngs(0))"


class LinenWords(FlaxWords):
    """flax.linen."""

    flax = "linen"
    name = "Flax Linen"
    before = f'''
import jax
from flax import linen


class Hole(linen.Module):
    """Something that could not be ported."""

    what: str

    def __call__(self, *x):
        raise NotImplementedError(f"write it by hand: {{self.what}}")


{_RUN.strip()}

{LENGTHS_OF}'''
    begins = '''
class Ported(linen.Module):
    """The model."""

    def setup(self):'''
    forward = "    def __call__(self, {}):"
    loads = '''
"""Loads the ported model: python load.py, or `from load import load`, which gives it and its variables.

What it computes is `module.apply(variables, inputs)`.
"""

from pathlib import Path

from flax import traverse_util
from jax import numpy as jnp
from model import Ported
from safetensors.numpy import load_file


def load():
    arrays = load_file(Path(__file__).with_name("weights.safetensors"))
    params = traverse_util.unflatten_dict({name: jnp.array(array) for name, array in arrays.items()}, sep="/")
    return Ported(), {"params": params}


if __name__ == "__main__":
    module, variables = load()
    print(module, sorted(variables["params"]))
'''

    def cell(self, kept: Canonical) -> str:
        (layer,) = kept.architecture.layers
        name = {"simple_rnn": "SimpleCell", "lstm": "LSTMCell", "gru": "GRUCell"}[layer.cell.name]
        return f"linen.{name}({', '.join([str(layer.units), *_activations(kept)])})"

    def embedding(self, tokens: int, features: int, mask_zero: bool, dtype: str) -> str:
        return f"linen.Embed({tokens}, {features})"

    def dense(self, features: int, units: int, bias: bool, dtype: str) -> str:
        return f"linen.Dense({units}{'' if bias else ', use_bias=False'})"


_JAX = {
    "relu": "jax.nn.relu",
    "tanh": "jax.numpy.tanh",
    "sigmoid": "jax.nn.sigmoid",
    "linear": "jax.nn.identity",
    "hard_sigmoid": "jax.nn.hard_sigmoid",
}
