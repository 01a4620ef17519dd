"""The script of a bug report: what an architecture is in Keras, written as a user would write it.

It reads the variables `layers`, `table`, `inputs`, `earlier`, `initial_state`, `mask` and `cotangent`, and defines
`outputs` and `final_state`, or `gradients`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.keras.cells import LAYERS, arguments
from rnn_conformance.adapters.keras.layers import policy
from rnn_conformance.adapters.keras.ways import COMPILED, LEGACY, MASKED_BY, STACKED, UNROLLED, XLA, arguments_of
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.states import flat, state_arrays, state_shapes

_IMPORTS = {
    **dict.fromkeys(("tensorflow", LEGACY), "import tensorflow as tf"),
    "torch": "import torch",
    "jax": "import jax",
}
_COMPILERS = {**dict.fromkeys(("tensorflow", LEGACY), "tf.function"), "jax": "jax.jit"}


def script(backend: str, architecture: Architecture, wants: str) -> str:
    """Python source that computes what is wanted, "outputs" or "gradients", with Keras on this backend, or Keras 2.

    The way `layers` is written with a Model, like the others. Raises ValueError for anything else.
    """
    if wants not in ("outputs", "gradients"):
        raise ValueError(f"a script gives outputs or gradients, and no {wants}")
    compiled = backend in _COMPILERS and architecture.mode in (*COMPILED, "closed-over")
    lines = ["import os", "", f'os.environ["KERAS_BACKEND"] = "{backend}"', "import keras"]
    if backend == LEGACY:
        lines = ["import tf_keras as keras"]
    if wants == "gradients" or compiled or (backend == "jax" and architecture.dtype == "float64"):
        lines.append(_IMPORTS[backend])
    lines.append("import numpy as np")
    if backend == "jax" and architecture.dtype == "float64":
        lines += ["", 'jax.config.update("jax_enable_x64", True)']
    model = [*_model(architecture, backend), *_weights(architecture)]
    gradients = [_cotangents(architecture), *_gradient(architecture.mode), *_gradients(architecture)]
    used = "\n".join([*model, *gradients] if wants == "gradients" else model)
    lines += ["", "", functions("keras/plain.py", used)]
    if wants == "gradients":
        file = "legacy" if backend == LEGACY else backend
        lines += ["", "", functions(f"keras/gradient_{file}.py", used)]
    lines += ["", "", *model]
    if wants == "gradients":
        return _in(backend, [*lines, *gradients])
    if architecture.mode == "reloaded":
        lines += ['model.save("model.keras")', 'model = keras.saving.load_model("model.keras")']
    call = _compiled_call(backend, architecture) if compiled else "model"
    arguments = "given"
    if architecture.mode == "predict":
        size = "len(inputs)" if architecture.stateful else "max(len(inputs) - 1, 1)"
        call, arguments = "model.predict", f"given, batch_size={size}, verbose=0"
    if architecture.stateful:
        lines += [f"call = {call}", "for before in earlier:"]
        lines.append(f"    call({arguments.replace('given', '[before, *given[1:]]')})")
        call = "call"
    lines.append(f"results = {call}({arguments})")
    return _in(backend, [*lines, *_results(architecture)])


def _in(backend: str, lines: Sequence[str]) -> str:
    """The lines as one text; Keras 2 has no keras.ops, for which TensorFlow and NumPy do."""
    text = "\n".join(lines) + "\n"
    if backend == LEGACY:
        text = text.replace("keras.ops.convert_to_tensor", "tf.convert_to_tensor")
        text = text.replace("keras.ops.convert_to_numpy", "np.asarray")
    return text


def _compiled_call(backend: str, architecture: Architecture) -> str:
    """The model as a function that is compiled."""
    how = ""
    if backend in ("tensorflow", LEGACY) and architecture.mode in XLA:
        how = ", jit_compile=True"
    if (
        backend in ("tensorflow", LEGACY) and architecture.mode == "time-distributed"
    ):  # the sizes that are not known stay open
        how = ", input_signature=[[tf.TensorSpec(t.shape, t.dtype) for t in model.inputs]]"
    return f"{_COMPILERS[backend]}(lambda given: model(given){how})"


def _gradient(mode: str) -> list[str]:
    """The lines that make `found`, the gradients in Keras' order, out of `model`, `given` and `cotangents`."""
    if mode == "xla-unrolled":
        return [
            "compiled = tf.function(lambda given: model(given), jit_compile=True)",
            "found = gradient(model, given, cotangents, compiled)",
        ]
    if mode == "xla":
        return [
            "compiled = tf.function(lambda *arguments: gradient(model, *arguments), jit_compile=True)",
            "found = compiled([tf.convert_to_tensor(a) for a in given], cotangents)",
        ]
    return ["found = gradient(model, given, cotangents)"]


def _model(architecture: Architecture, backend: str) -> Iterator[str]:
    """The lines that make `model`, and `given`, what it is called with."""
    timesteps = "inputs.shape[1]" if architecture.mode in UNROLLED else "None"
    batch = f", batch_size={architecture.batch}" if architecture.stateful else ""
    dtype = f'dtype="{architecture.dtype}"'
    if table := architecture.embedding:
        yield f'x = first = keras.Input(({timesteps},), dtype="int32"{batch})'
        zero = ", mask_zero=True" if table.mask_zero else ""
        yield f"embedding = keras.layers.Embedding({table.tokens}, {table.features}{zero}{_policy(architecture)})"
        yield "x = embedding(x)"
    else:
        yield f"x = first = keras.Input(({timesteps}, {architecture.layers[0].features}), {dtype}{batch})"
    if architecture.mode == "masking-layer":
        yield f"x = keras.layers.Masking({MASKED_BY}{_policy(architecture)})(x)"
    given_mask = architecture.masking == "mask" and architecture.mode != "masking-layer"
    if given_mask:
        yield f'm = keras.Input(({timesteps},), dtype="bool"{batch})'
    arrays = _arrays(architecture, "state")
    shapes = [flat([layer]) for layer in state_shapes(architecture, ())]
    states = f"[[keras.Input(shape, {dtype}{batch}) for shape in layer] for layer in {shapes}]"
    yield f"h = {states} if initial_state else []"
    mask, is_stack = ", mask=m" if given_mask else "", architecture.mode == STACKED
    rnns = _rnns(architecture, backend)
    for k, rnn in enumerate(rnns):
        yield f"rnn{k} = {rnn}"
        returned = f"x, *final{k}" if architecture.return_state else "x"
        state = _states_of_cells(architecture, backend) if is_stack else f"h[{k}] if h else None"
        yield f"{returned} = rnn{k}(x, initial_state={state}{mask})"
    if is_stack and architecture.return_state:
        yield "final0 = [a for state in final0 for a in (state if isinstance(state, (list, tuple)) else [state])]"
    if architecture.mode == "time-distributed":
        same = f'keras.layers.Activation("linear"{_policy(architecture)})'
        yield f"x = keras.layers.TimeDistributed({same}{_policy(architecture)})(x)"
    inputs = "first, m" if given_mask else "first"
    given = "inputs, mask" if given_mask else "inputs"
    if architecture.masking == "mask" and not given_mask:
        given = f"filled(inputs, mask, {MASKED_BY})"
    final = "".join(f", *final{k}" for k in range(len(rnns))) if architecture.return_state else ""
    yield f"model = keras.Model([{inputs}, *sum(h, [])], [x{final}])"
    yield f"given = [{given}, *(a for state in initial_state or [] for a in {arrays})]"


def _arrays(architecture: Architecture, state: str) -> str:
    """The arrays of a layer's state one after the other, also where a direction has several."""
    return state if all(len(layer.cell.parts) == 1 for layer in architecture.layers) else f"flat({state})"


def _states_of_cells(architecture: Architecture, backend: str) -> str:
    """The initial state of a stack of cells: of Keras 2, that of a cell with one tensor is no list."""
    is_nested = backend != LEGACY or all(len(layer.cell.parts) > 1 for layer in architecture.layers)
    return "h or None" if is_nested else "[state if len(state) > 1 else state[0] for state in h] or None"


def _rnns(architecture: Architecture, backend: str) -> list[str]:
    """The layers of Keras: one for each layer, or one of all their cells."""
    layers, last = architecture.layers, len(architecture.layers) - 1
    if architecture.mode != STACKED:
        return [_layer(architecture, layer, k == last, backend) for k, layer in enumerate(layers)]
    cells = f"[{', '.join(_cell(architecture, layer) for layer in layers)}]"
    options = _options(architecture, layers[last], is_last=True)
    return [f"keras.layers.RNN({', '.join([cells, *options])}{_policy(architecture)})"]


def _layer(architecture: Architecture, layer: Layer, is_last: bool, backend: str) -> str:
    options, dtype = _options(architecture, layer, is_last), _policy(architecture)
    if architecture.mode == "cells":
        rnn = f"keras.layers.RNN({', '.join([_cell(architecture, layer), *options])}{dtype})"
    else:
        gated = "gate" in layer.cell.activations
        way = arguments_of(architecture.mode, is_gated=gated, is_legacy=backend == LEGACY)
        options += [f"{name}={value}" for name, value in way.items()]
        kind, given = LAYERS[layer.cell.name], _arguments_of_cell(architecture, layer)
        rnn = f"keras.layers.{kind}({', '.join(given + options)}{dtype})"
    if not layer.is_bidirectional:
        return rnn
    merge = "" if layer.merge == "concat" else f', merge_mode="{layer.merge}"'
    return f"keras.layers.Bidirectional({rnn}{merge}{dtype})"


def _cell(architecture: Architecture, layer: Layer) -> str:
    given = ", ".join(_arguments_of_cell(architecture, layer))
    return f"keras.layers.{LAYERS[layer.cell.name]}Cell({given}{_policy(architecture)})"


def _arguments_of_cell(architecture: Architecture, layer: Layer) -> list[str]:
    activation, *others = arguments(layer.cell).items()
    given = [str(layer.units), f'"{activation[1]}"']
    given += [f"{name}={_literal(value)}" for name, value in others if value not in ("sigmoid", True)]
    if not layer.use_bias:
        given.append("use_bias=False")
    if architecture.dtype in ("float16", "bfloat16"):
        given.append('recurrent_initializer="zeros"')
    return given + [f"{name}={rate}" for name in ("dropout", "recurrent_dropout") if (rate := getattr(layer, name))]


def _options(architecture: Architecture, layer: Layer, is_last: bool) -> list[str]:
    """What a layer is given that its cell is not."""
    options = {
        "return_sequences": not is_last or architecture.return_sequences,
        "return_state": architecture.return_state,
        "go_backwards": layer.direction == "backward",
        "stateful": architecture.stateful,
    }
    return [f"{name}=True" for name, on in options.items() if on]


def _literal(value: str | bool) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _policy(architecture: Architecture) -> str:
    name = policy(architecture)
    return "" if name == "float32" else f', dtype="{name}"'


def _weights(architecture: Architecture) -> Iterator[str]:
    """The lines that load the weights."""
    if architecture.embedding:
        yield "embedding.set_weights([table])"
    if architecture.mode == STACKED:
        yield "rnn0.set_weights([array for weights in layers for array in keras_weights(weights)])"
        return
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
        number = count()
        states = [[_parts(layer, number) for _ in range(1 + layer.is_bidirectional)] for layer in architecture.layers]
        yield f"final_state = [{', '.join('(' + ', '.join(state) + ',)' for state in states)}]"


def _parts(layer: Layer, number: Iterator[int]) -> str:
    """The next of `final`: an array or, where a state has several parts, a tuple of them."""
    parts = [f"final[{next(number)}]" for _ in layer.cell.parts]
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def _cotangents(architecture: Architecture) -> str:
    """The line that makes `cotangents`, in the structure of what the model returns."""
    tensor = "keras.ops.convert_to_tensor"
    if not architecture.return_state:
        return f'cotangents = {tensor}(cotangent["outputs"])'
    arrays = (
        f'cotangent["outputs"], *(a for state in cotangent["final_state"] for a in {_arrays(architecture, "state")})'
    )
    return f"cotangents = [{tensor}(a) for a in [{arrays}]]"


def _gradients(architecture: Architecture) -> Iterator[str]:
    """The lines that name what was found."""
    states = [name for name, _ in state_arrays("initial_state", state_shapes(architecture, ()))]
    yield "found = iter([keras.ops.convert_to_numpy(g) for g in found])"
    table = '{"embedding": next(found)}' if architecture.embedding else "{}"
    yield f"gradients = {table}"
    directions = [
        (name_of("layers", k, j, "{}"), 2 + layer.use_bias)
        for k, layer in enumerate(architecture.layers)
        for j in range(1 + layer.is_bidirectional)
    ]
    yield f"for name, arrays in {directions}:"
    yield "    named = named_weights(*(next(found) for _ in range(arrays)))"
    yield "    gradients |= {name.format(array): g for array, g in named.items()}"
    rest = [*([] if architecture.embedding else ["inputs"]), *states]
    yield f"gradients |= dict(zip({rest}, found))  # those of the initial state only if there was one"
