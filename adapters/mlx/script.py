"""A call of MLX's layers as a script of its own, such as one pastes into a bug report.

A script reads and sets what `Adapter` in protocol.py says. What MLX has in bfloat16, which NumPy lacks, comes out as
float32, without loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.mlx.network import KINDS
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.states import part_names
from rnn_conformance.reference.model.weights import direction_shapes


def script(architecture: Architecture, wants: str) -> str:
    """Python source; `wants` is "outputs" or "gradients". Raises ValueError for anything else."""
    if wants not in ("outputs", "gradients"):
        raise ValueError(f"a script gives outputs or gradients, not {wants!r}")
    ending = _gradients(architecture) if wants == "gradients" else _results(architecture)
    code = "\n".join([*_call(architecture), *_model(architecture), *ending])
    imports = ["import mlx.core as mx", "import numpy as np", "from mlx import nn"]
    if wants == "gradients":
        imports.append("from mlx.utils import tree_flatten, tree_unflatten")
    return "\n".join(imports) + f"\n\n\n{functions('mlx/example.py', code)}\n\n\n{code}\n"


def _model(architecture: Architecture) -> Iterator[str]:
    """The lines that make `model`, and `given`, what `call` is called with."""
    table = architecture.embedding
    layers = [_layer(layer) for layer in architecture.layers]
    if table:
        layers.insert(0, f"nn.Embedding({table.tokens}, {table.features})")
    yield f"model = nn.Sequential({', '.join(layers)})"
    if table:
        yield 'model.layers[0].load_weights([("weight", array_of(table))])'
    for k, layer in enumerate(architecture.layers):
        kind = KINDS[layer.cell.name].lower()
        yield f"model.layers[{k + bool(table)}].load_weights({kind}_parameters(layers[{k}]))"
    if architecture.mode == "reloaded":
        yield 'model.save_weights("model.safetensors")'
        yield 'model.load_weights("model.safetensors")'
    states = "(part for (h,) in initial_state or [] for part in (h if isinstance(h, tuple) else (h,)))"
    yield f"given = [array_of(array) for array in (inputs, *{states})]"


def _layer(layer: Layer) -> str:
    words = [str(layer.features), str(layer.units)]
    if not layer.use_bias:
        words.append("bias=False")
    if layer.cell.name == "simple_rnn" and layer.cell.activation != "tanh":
        name = layer.cell.activation
        words.append(f"nonlinearity={name if name == 'linear' else f'nn.{name}'}")
    return f"nn.{KINDS[layer.cell.name]}({', '.join(words)})"


def _call(architecture: Architecture) -> Iterator[str]:
    """The function `call`, from inputs and the arrays of a state to the outputs and the arrays of the final state."""
    table = bool(architecture.embedding)
    number = count()
    state = ", ".join(f"({_parts(layer, 'states', number)},)" for layer in architecture.layers)
    yield "def call(x, *states):"
    yield f"    state = [{state}] if states else None"
    x = "model.layers[0](x)" if table else "x"
    rnns = "model.layers[1:]" if table else "model.layers"
    yield f"    outputs, final = in_turn({rnns}, {x}, state)"
    if not architecture.return_sequences:
        yield "    outputs = outputs[..., -1, :]"
    final = ", *(part for (parts,) in final for part in parts)" if architecture.return_state else ""
    yield f"    return [outputs{final}]"
    yield ""
    yield ""


def _parts(layer: Layer, array: str, number: Iterator[int]) -> str:
    """The next of some arrays: one, or, where a state has several parts, a tuple of them."""
    parts = [f"{array}[{next(number)}]" for _ in layer.cell.parts]
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def _results(architecture: Architecture) -> Iterator[str]:
    call = "mx.vmap(call)" if architecture.mode == "vmapped" else "call"
    wide = ".astype(mx.float32)" if architecture.dtype == "bfloat16" else ""
    if not architecture.return_state:
        yield f"(outputs,) = (np.array(each{wide}) for each in {call}(*given))"
        return
    yield f"outputs, *final = (np.array(each{wide}) for each in {call}(*given))"
    number = count()
    states = ", ".join(f"({_parts(layer, 'final', number)},)" for layer in architecture.layers)
    yield f"final_state = [{states}]"


def _gradients(architecture: Architecture) -> Iterator[str]:
    table = bool(architecture.embedding)
    arrays = 'cotangent["outputs"]'
    if architecture.return_state:
        parts = "h if isinstance(h, tuple) else (h,)"
        arrays += f', *(part for (h,) in cotangent["final_state"] for part in ({parts}))'
    yield f"cotangents = [array_of(array) for array in [{arrays}]]"
    if table:  # tokens have no gradient
        yield "tree, found = gradients_of(model, lambda *state: call(given[0], *state), given[1:], cotangents)"
    else:
        yield "tree, found = gradients_of(model, call, given, cotangents)"
    yield 'gradients = {"embedding": tree["layers"][0]["weight"]}' if table else "gradients = {}"
    for k, layer in enumerate(architecture.layers):
        kind = KINDS[layer.cell.name].lower()
        yield f'of_layer = {kind}_weights_in(tree["layers"][{k + table}])'
        for part in direction_shapes(layer):
            yield f'gradients["{name_of("layers", k, 0, part)}"] = of_layer["{part}"]'
    states = [
        name
        for k, layer in enumerate(architecture.layers)
        for name in part_names("initial_state", k, 0, len(layer.cell.parts))
    ]
    yield f"gradients |= dict(zip({[] if table else ['inputs']} + {states}, found))  # of a state if there was one"
    yield "gradients = {name: np.array(array) for name, array in gradients.items()}"
