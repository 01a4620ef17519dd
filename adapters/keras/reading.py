"""Reading and building Keras' SimpleRNN, LSTM, GRU, RNN and Bidirectional: canonical weights out of them, and in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import (
    Canonical,
    Other,
    Refused,
    Survey,
    all_gates,
    as_loaded,
    in_order,
    one_bias,
)
from rnn_conformance.adapters.jax.arrays import x64
from rnn_conformance.adapters.keras.cells import LAYERS, arguments
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights

_NAMES = ("tanh", "relu", "linear", "sigmoid", "hard_sigmoid")
_LOOKS_RECURRENT = ("RNN", "LSTM", "GRU")
_NOT_TRAINED = ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "kernel_constraint")


def survey(model: Any) -> Survey:
    """Every recurrent layer of a model or layer, by the names on the way to it, and what else has weights."""
    found: dict[int, Canonical] = {}
    refused: list[Refused] = []
    others: list[Other] = []
    for path, layer in walk(model):
        kind = type(layer).__name__
        if id(layer) in found:
            known = found[id(layer)]
            found[id(layer)] = replace(known, also=(*known.also, path))
        elif is_recurrent(layer):
            try:
                found[id(layer)] = read_layer(layer, path)
            except Refused as reason:
                refused.append(reason)
        elif own := sum(int(np.prod(v.shape)) for v in layer._trainable_variables):
            if any(word in kind for word in _LOOKS_RECURRENT):
                refused.append(Refused(path, "class", f"{kind} is none of Keras' recurrent layers"))
            else:
                others.append(Other(path, kind, own))
    return Survey(tuple(found.values()), tuple(refused), tuple(others))


def walk(layer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each layer within a layer, and itself, with the names on the way; what is in a recurrent one belongs to it.

    Of two that have one name, the second says so.
    """
    yield path, layer
    if not is_recurrent(layer):
        taken: dict[str, int] = {}
        for inner in layer._flatten_layers(include_self=False, recursive=False):
            taken[inner.name] = taken.get(inner.name, 0) + 1
            name = inner.name if taken[inner.name] == 1 else f"{inner.name} ({taken[inner.name]})"
            yield from walk(inner, f"{path}/{name}" if path else name)


def is_recurrent(layer: Any) -> bool:
    """Whether it is one of Keras' recurrent layers, a Bidirectional, or a cell that somebody's own loop calls."""
    import keras

    cells = tuple(getattr(keras.layers, f"{name}Cell") for name in LAYERS.values())
    return isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional, *cells))


def read_layer(layer: Any, path: str = "") -> Canonical:
    """A recurrent layer that is built. Raises Refused."""
    import keras

    if isinstance(layer, keras.layers.Bidirectional):
        return _read_both(layer, path)
    if not isinstance(layer, keras.layers.RNN):
        each = [_read_cell(layer, path)]
        architecture = _architecture(layer, [each[0][0]], return_state=True)
        return Canonical(architecture, Weights((each[0][1],)), _choices(layer), path, (), each[0][2], is_cell=True)
    _refuse_own_code(layer, path, "call", "__call__", "inner_loop", "get_initial_state")
    cells = layer.cell.cells if isinstance(layer.cell, keras.layers.StackedRNNCells) else [layer.cell]
    each = [_read_cell(cell, path) for cell in cells]
    direction = "backward" if layer.go_backwards else "forward"
    if len(cells) > 1 and layer.go_backwards:
        raise Refused(path, "go_backwards", "a stack of cells turns its inputs once, and not each of its layers")
    layers = [replace(one, direction=direction) for one, _, _ in each]
    architecture = _architecture(
        layer, layers, return_sequences=layer.return_sequences, return_state=layer.return_state, stateful=layer.stateful
    )
    training = tuple(note for _, _, notes in each for note in notes)
    return Canonical(architecture, Weights(tuple(w for _, w, _ in each)), _choices(layer), path, (), training)


def _architecture(layer: Any, layers: list[Layer], **options: Any) -> Architecture:
    compute, kept = layer.compute_dtype, layer.variable_dtype
    if options.get("stateful") and layer.states:
        options["batch"] = int(layer.states[0].shape[0])
    return Architecture(tuple(layers), dtype=compute, weights_dtype="" if kept == compute else kept, **options)


def _choices(layer: Any) -> Choices:
    padded = "zero" if getattr(layer, "zero_output_for_mask", False) else "repeat"
    return Choices(padded_outputs=padded, backward_outputs="processing")


def _read_both(layer: Any, path: str) -> Canonical:
    _refuse_own_code(layer, path, "call", "__call__")
    if layer.merge_mode is None:
        raise Refused(path, "merge_mode", "with None, a Bidirectional returns two sequences and no output of its own")
    forward, backward = (read_layer(each, path) for each in (layer.forward_layer, layer.backward_layer))
    if layer.forward_layer.go_backwards:
        raise Refused(path, "go_backwards", "its forward layer runs backwards")
    (one,), (other,) = forward.architecture.layers, backward.architecture.layers
    if replace(other, direction="forward") != one or forward.choices != backward.choices:
        raise Refused(path, "backward_layer", f"its two layers are not alike: {one} and {other}")
    both = replace(one, direction="bidirectional", merge=layer.merge_mode)
    weights = LayerWeights.of([forward.weights.layers[0], backward.weights.layers[0]])
    architecture = replace(forward.architecture, layers=(both,))
    choices = replace(forward.choices, backward_outputs="aligned")
    return Canonical(architecture, Weights((weights,)), choices, path, (), forward.training + backward.training)


def _refuse_own_code(layer: Any, path: str, *methods: str) -> None:
    """Raise Refused for a subclass that does something else than Keras' own class."""
    own = next((c for c in type(layer).__mro__ if c.__module__.partition(".")[0] == "keras"), object)
    for method in methods:
        if method in vars(layer) or getattr(type(layer), method, None) is not getattr(own, method, None):
            raise Refused(path, method, f"{type(layer).__name__} has a {method} of its own, and not Keras'")


def _read_cell(cell: Any, path: str) -> tuple[Layer, LayerWeights, tuple[str, ...]]:
    import keras

    from rnn_conformance.adapters.keras.plain import named_weights

    kinds = {name: getattr(keras.layers, f"{its_name}Cell") for name, its_name in LAYERS.items()}
    name = next((name for name, kind in kinds.items() if isinstance(cell, kind)), "")
    if not name:
        raise Refused(path, "cell", f"{type(cell).__name__} is none of {', '.join(k.__name__ for k in kinds.values())}")
    _refuse_own_code(cell, path, "call", "__call__", "get_initial_state")
    if not cell.built:
        raise Refused(path, "weights", "the layer is not built: call it, or its build, first")
    activation = _named(cell.activation, path, "activation", _NAMES[:-1])
    gate = (
        {}
        if name == "simple_rnn"
        else {"recurrent_activation": _named(cell.recurrent_activation, path, "recurrent_activation", _NAMES)}
    )
    options: dict[str, Any] = {"output_activation": activation} if name == "lstm" else {}
    if name == "gru":
        options = {"reset": "after" if cell.reset_after else "before"}
        options["recurrent_bias"] = "all" if cell.reset_after else "none"
    arrays = [
        _array(variable) for variable in (cell.kernel, cell.recurrent_kernel, *([cell.bias] if cell.use_bias else []))
    ]
    named = {part: np.ascontiguousarray(array) for part, array in named_weights(*arrays).items()}
    layer = Layer(len(arrays[0]), cell.units, CELLS[name](activation, **gate, **options), bool(cell.use_bias))
    training = [f"{what} {getattr(cell, what):g}" for what in ("dropout", "recurrent_dropout") if getattr(cell, what)]
    training += [what for what in _NOT_TRAINED if getattr(cell, what, None)]
    if not cell.trainable:
        training.append("not trained")
    return layer, LayerWeights(named), tuple(training)


def _named(function: Any, path: str, field: str, names: tuple[str, ...]) -> str:
    import keras

    for name in names:
        if function is getattr(keras.activations, name):
            return name
    what = getattr(function, "__name__", type(function).__name__)
    raise Refused(path, field, f"{what} is none of Keras' {', '.join(names)}")


def _array(variable: Any) -> Any:
    import keras

    return np.array(keras.ops.convert_to_numpy(variable.value))


def held(canonical: Canonical) -> Canonical:
    """One bias, but two of a GRU that resets after; outputs at padded timesteps are repeated unless they are zero."""
    architecture, path = canonical.architecture, canonical.path
    if len(architecture.layers) > 1:
        raise Refused(path, "layers", "a stack is not one layer of Keras: build each, as `layer(k)` gives it")
    (layer,), (given,) = architecture.layers, canonical.weights.layers
    refuse(layer, path)
    dtype = dtype_of(architecture.weights_dtype or architecture.dtype)
    cell: Cell = layer.cell
    each = [dict(direction.named) for direction in given.directions]
    if isinstance(cell, Gru) and cell.reset == "after":
        cell, each = replace(cell, recurrent_bias="all"), [all_gates(named) for named in each]
    else:
        each = [one_bias(layer, named, dtype, path) for named in each]
        if isinstance(cell, Lstm):
            cell = replace(cell, recurrent_bias="none", forget_bias=0.0)
        elif isinstance(cell, Gru):
            cell = replace(cell, recurrent_bias="none")
        else:
            cell = CELLS[cell.name](cell.activation)
    layer = replace(layer, cell=cell, dropout=0.0, recurrent_dropout=0.0)
    weights = Weights((LayerWeights.of([in_order(layer, named) for named in each]),))
    padded = "zero" if canonical.choices.padded_outputs == "zero" else "repeat"
    order = "aligned" if layer.is_bidirectional else "processing"
    return replace(
        canonical,
        architecture=replace(architecture, layers=(layer,), masking="none", mode="eager", timesteps=None),
        weights=as_loaded(weights, architecture.dtype, path, dtype),
        choices=Choices(padded_outputs=padded, backward_outputs=order),
    )


def refuse(layer: Layer, path: str) -> None:
    """Raise Refused for what no layer of Keras computes."""
    cell = layer.cell
    if cell.activations.get("gate") == "hard_sigmoid_fifth":
        raise Refused(path, "recurrent_activation", "the hard sigmoid of Keras is x / 6 + 1/2")
    if isinstance(cell, Lstm) and cell.output_activation != cell.activation:
        raise Refused(path, "output_activation", "the activation of a keras.layers.LSTM is that of its output, too")
    if isinstance(cell, Lstm) and cell.projection:
        raise Refused(path, "projection", "keras.layers.LSTM has none")
    if isinstance(cell, Gru) and cell.keep != "z":
        raise Refused(path, "keep", "in keras.layers.GRU it is z that keeps the output before")


def build(canonical: Canonical) -> Any:
    """A SimpleRNN, LSTM or GRU, in a Bidirectional where it has two directions, or a cell. Raises Refused."""
    import keras

    kept = held(canonical)
    architecture, (layer,) = kept.architecture, kept.architecture.layers
    name = LAYERS[layer.cell.name]
    # Zeros, because other initialisers take longer, and the orthogonal one has no float16.
    options = {
        **arguments(layer.cell),
        "use_bias": layer.use_bias,
        "kernel_initializer": "zeros",
        "recurrent_initializer": "zeros",
        "dtype": _policy(architecture),
    }
    batch = architecture.batch if architecture.stateful else None
    with _wide(architecture):
        if kept.is_cell:
            made = getattr(keras.layers, f"{name}Cell")(layer.units, **options)
            made.build((None, layer.features))
        else:
            options |= {"return_sequences": architecture.return_sequences, "return_state": architecture.return_state}
            options |= {"stateful": architecture.stateful, "go_backwards": layer.direction == "backward"}
            options["zero_output_for_mask"] = kept.choices.padded_outputs == "zero"
            made = getattr(keras.layers, name)(layer.units, **options)
            if layer.is_bidirectional:
                made = keras.layers.Bidirectional(made, merge_mode=layer.merge, dtype=options["dtype"])
                for each in (made.forward_layer, made.backward_layer):
                    each.zero_output_for_mask = options["zero_output_for_mask"]  # which Bidirectional set by itself
            made.build((batch, None, layer.features))
    _put(made, kept)
    return made


def _policy(architecture: Architecture) -> str:
    from rnn_conformance.adapters.keras.layers import policy

    return policy(architecture)


def _wide(architecture: Architecture) -> Any:
    """JAX's 64-bit types, where Keras is on JAX and the layer wants them."""
    import keras

    return x64(architecture.dtype if keras.config.backend() == "jax" else "")


def load(module: Any, canonical: Canonical) -> None:
    """Put the weights into a layer that is built. Raises Refused where it is another layer."""
    kept, there = held(canonical), read_layer(module, canonical.path)
    if there.architecture.layers != kept.architecture.layers:
        raise Refused(canonical.path, "layer", f"there is {there.architecture}, but should be {kept.architecture}")
    _put(module, kept)


def _put(made: Any, kept: Canonical) -> None:
    from rnn_conformance.adapters.keras.plain import keras_weights

    each = (made.forward_layer, made.backward_layer) if hasattr(made, "forward_layer") else (made,)
    with _wide(kept.architecture):
        for layer, direction in zip(each, kept.weights.layers[0].directions, strict=True):
            cell = getattr(layer, "cell", layer)
            variables = (cell.kernel, cell.recurrent_kernel, *([cell.bias] if cell.use_bias else []))
            for variable, array in zip(variables, keras_weights(direction.named), strict=True):
                variable.assign(np.ascontiguousarray(array))
