"""The script of a bug report: what an architecture is in Keras, written as a user would write it.

It reads the variables `layers`, `table`, `inputs`, `initial_state`, `mask` and `cotangent`, and defines `outputs` and
`final_state`, or `gradients`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.keras.layers import policy
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.states import state_arrays, state_shapes
from rnn_conformance.reference.model.weights import weight_shapes

_IMPORTS = {"tensorflow": "import tensorflow as tf", "torch": "import torch", "jax": "import jax"}
_COMPILED = {"tensorflow": "tf.function", "jax": "jax.jit"}


def script(backend: str, architecture: Architecture, wants: str) -> str:
    """Python source that computes what is wanted, "outputs" or "gradients", with Keras on this backend alone.

    The way `layers` is written with a Model, like the others. Raises ValueError for anything else.
    """
    if wants not in ("outputs", "gradients"):
        raise ValueError(f"a script gives outputs or gradients, and no {wants}")
    compiled = backend in _COMPILED and architecture.mode in ("compiled", "unrolled", "cells")
    lines = ["import os", "", f'os.environ["KERAS_BACKEND"] = "{backend}"', "import keras"]
    if wants == "gradients" or compiled or (backend == "jax" and architecture.dtype == "float64"):
        lines.append(_IMPORTS[backend])
    if backend == "jax" and architecture.dtype == "float64":
        lines += ["", 'jax.config.update("jax_enable_x64", True)']
    model = [*_model(architecture), *_weights(architecture)]
    lines += ["", "", functions("keras/example.py", "\n".join(model)), "", "", *model]
    if wants == "gradients":
        return "\n".join([*lines, _cotangents(architecture), *_GRADIENT[backend], *_gradients(architecture)]) + "\n"
    if architecture.mode == "reloaded":
        lines += ['model.save("model.keras")', 'model = keras.saving.load_model("model.keras")']
    call = f"{_COMPILED[backend]}(lambda given: model(given))" if compiled else "model"
    if architecture.mode == "predict":
        size = "len(inputs)" if architecture.stateful else "max(len(inputs) - 1, 1)"
        lines.append(f"results = model.predict(given, batch_size={size}, verbose=0)")
    else:
        lines.append(f"results = {call}(given)")
    return "\n".join([*lines, *_results(architecture)]) + "\n"


def _model(architecture: Architecture) -> Iterator[str]:
    """The lines that make `model`, and `given`, what it is called with."""
    timesteps = "inputs.shape[1]" if architecture.mode == "unrolled" else "None"
    batch = f", batch_size={architecture.batch}" if architecture.stateful else ""
    dtype = f'dtype="{architecture.dtype}"'
    if table := architecture.embedding:
        yield f'x = first = keras.Input(({timesteps},), dtype="int32"{batch})'
        zero = ", mask_zero=True" if table.mask_zero else ""
        yield f"embedding = keras.layers.Embedding({table.tokens}, {table.features}{zero}{_policy(architecture)})"
        yield "x = embedding(x)"
    else:
        yield f"x = first = keras.Input(({timesteps}, {architecture.layers[0].features}), {dtype}{batch})"
    if architecture.masking == "mask":
        yield f'm = keras.Input(({timesteps},), dtype="bool"{batch})'
    yield f"h = [[keras.Input(a.shape[1:], {dtype}{batch}) for a in state] for state in initial_state or []]"
    mask = ", mask=m" if architecture.masking == "mask" else ""
    for k, layer in enumerate(architecture.layers):
        yield f"rnn{k} = {_layer(architecture, layer, is_last=k == len(architecture.layers) - 1)}"
        returned = f"x, *final{k}" if architecture.return_state else "x"
        yield f"{returned} = rnn{k}(x, initial_state=h[{k}] if h else None{mask})"
    inputs = "first, m" if architecture.masking == "mask" else "first"
    arrays = "inputs, mask" if architecture.masking == "mask" else "inputs"
    final = "".join(f", *final{k}" for k in range(len(architecture.layers))) if architecture.return_state else ""
    yield f"model = keras.Model([{inputs}, *sum(h, [])], [x{final}])"
    yield f"given = [{arrays}, *(a for state in initial_state or [] for a in state)]"


def _layer(architecture: Architecture, layer: Layer, is_last: bool) -> str:
    cell = [str(layer.units), f'"{layer.cell.activation}"']
    options = []
    if not layer.use_bias:
        cell.append("use_bias=False")
    if architecture.dtype in ("float16", "bfloat16"):
        cell.append('recurrent_initializer="zeros"')
    for name in ("dropout", "recurrent_dropout"):
        if rate := getattr(layer, name):
            cell.append(f"{name}={rate}")
    if not is_last or architecture.return_sequences:
        options.append("return_sequences=True")
    for name, on in (
        ("return_state", architecture.return_state),
        ("go_backwards", layer.direction == "backward"),
        ("stateful", architecture.stateful),
        ("unroll", architecture.mode == "unrolled"),
    ):
        if on:
            options.append(f"{name}=True")
    dtype = _policy(architecture)
    if architecture.mode == "cells":
        cells = f"keras.layers.SimpleRNNCell({', '.join(cell)}{dtype})"
        rnn = f"keras.layers.RNN({', '.join([cells, *options])}{dtype})"
    else:
        rnn = f"keras.layers.SimpleRNN({', '.join(cell + options)}{dtype})"
    if not layer.is_bidirectional:
        return rnn
    merge = "" if layer.merge == "concat" else f', merge_mode="{layer.merge}"'
    return f"keras.layers.Bidirectional({rnn}{merge}{dtype})"


def _policy(architecture: Architecture) -> str:
    name = policy(architecture)
    return "" if name == "float32" else f', dtype="{name}"'


def _weights(architecture: Architecture) -> Iterator[str]:
    """The lines that load the weights."""
    if architecture.embedding:
        yield "embedding.set_weights([table])"
    for k, layer in enumerate(architecture.layers):
        forward, backward = f"layers[{k}]", f'layers[{k}]["backward"]'
        both = ((".forward_layer", forward), (".backward_layer", backward))
        for attribute, w in both if layer.is_bidirectional else (("", forward),):
            yield f"rnn{k}{attribute}.set_weights(keras_weights({w}))"


def _results(architecture: Architecture) -> Iterator[str]:
    """The lines that turn `results`, a list only if there are states, into what is wanted."""
    if not architecture.return_state:
        yield "outputs = keras.ops.convert_to_numpy(results)"
    else:
        yield "outputs, *final = [keras.ops.convert_to_numpy(result) for result in results]"
        flat = iter(range(2 * len(architecture.layers)))
        states = [[f"final[{next(flat)}]" for _ in range(1 + a.is_bidirectional)] for a in architecture.layers]
        yield f"final_state = [{', '.join('(' + ', '.join(state) + ',)' for state in states)}]"


_SOURCES = "variables = [variable.value for variable in model.trainable_variables]"
_FLOATS = 'if "float" in keras.backend.standardize_dtype(a.dtype)]'
_GRADIENT = {
    "tensorflow": [
        _SOURCES,
        "tensors = [tf.convert_to_tensor(a) for a in given]",
        f"floats = [a for a in tensors {_FLOATS}",
        "with tf.GradientTape() as tape:",
        "    tape.watch(floats)",
        "    results = model(tensors)",
        "found = tape.gradient(results, variables + floats, cotangents)",
        "found = [tf.convert_to_tensor(g) for g in found]",
    ],
    "torch": [
        _SOURCES,
        "tensors = [keras.ops.convert_to_tensor(a) for a in given]",
        f"floats = [a.requires_grad_() for a in tensors {_FLOATS}",
        "found = torch.autograd.grad(model(tensors), variables + floats, cotangents)",
    ],
    "jax": [
        _SOURCES,
        "others = [variable.value for variable in model.non_trainable_variables]",
        f"floats = [a for a in given {_FLOATS}",
        "",
        "",
        "def call(variables, floats):",
        "    floats = iter(floats)",
        f"    arrays = [next(floats) {_FLOATS[:-1]} else a for a in given]",
        "    return model.stateless_call(variables, others, arrays)[0]",
        "",
        "",
        "of_weights, of_inputs = jax.vjp(call, variables, floats)[1](cotangents)",
        "found = [*of_weights, *of_inputs]",
    ],
}
"""The lines that make `found`, the gradients in Keras' order, out of `model`, `given` and `cotangents`."""


def _cotangents(architecture: Architecture) -> str:
    """The line that makes `cotangents`, in the structure of what the model returns."""
    tensor = "keras.ops.convert_to_tensor"
    if not architecture.return_state:
        return f'cotangents = {tensor}(cotangent["outputs"])'
    arrays = 'cotangent["outputs"], *(a for state in cotangent["final_state"] for a in state)'
    return f"cotangents = [{tensor}(a) for a in [{arrays}]]"


def _gradients(architecture: Architecture) -> Iterator[str]:
    """The lines that name what was found."""
    names = [*weight_shapes(architecture), *([] if architecture.embedding else ["inputs"])]
    states = [name for name, _ in state_arrays("initial_state", state_shapes(architecture, ()))]
    yield f"names = {names}"
    yield f"names += {states} if initial_state else []"
    yield "found = [keras.ops.convert_to_numpy(g) for g in found]"
    yield 'gradients = {n: g.T if n.endswith(("W", "U")) else g for n, g in zip(names, found)}'
