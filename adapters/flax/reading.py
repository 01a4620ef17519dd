"""What reading and building have in common in NNX and Linen: RNN, Bidirectional, and what their cells may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Canonical, Refused, as_loaded, in_order, one_bias
from rnn_conformance.adapters.jax.arrays import activation
from rnn_conformance.adapters.two_biases import TwoBiasedRnn
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights

CELLS = {"SimpleCell": "simple_rnn", "LSTMCell": "lstm", "OptimizedLSTMCell": "lstm", "GRUCell": "gru"}
"""Flax's own cells that are one of ours, by the name of the class."""

LOOKS_RECURRENT = ("RNN", "LSTM", "GRU")

ReadWeights = Callable[[Any, str, str], dict[str, Any]]
"""The named arrays of a cell, given the name of ours and its path."""


def averaged(forward: Any, backward: Any) -> Any:
    """The mean of two directions, a `merge_fn` that can be told from another one."""
    return (forward + backward) / 2


def read_layer(flax: Any, module: Any, path: str, weights_of: ReadWeights) -> Canonical:
    """An RNN, a Bidirectional or a bare cell of the module `flax`, whose cells `weights_of` reads. Raises Refused."""
    if isinstance(module, flax.Bidirectional):
        return _read_both(flax, module, path, weights_of)
    if not isinstance(module, flax.RNN):
        layer, weights, dtypes = _read_cell(flax, module, path, weights_of)
        architecture = Architecture((layer,), **dtypes, return_state=True)
        return Canonical(architecture, Weights((weights,)), _choices(True), path, is_cell=True)
    refuse_own_call(flax, module, path)
    layer, weights, dtypes = _read_cell(flax, module.cell, path, weights_of)
    layer = replace(layer, direction="backward" if module.reverse else "forward")
    architecture = Architecture((layer,), **dtypes, return_state=True)
    return Canonical(architecture, Weights((weights,)), _choices(module.keep_order or not module.reverse), path)


def _choices(aligned: bool) -> Choices:
    return Choices(padded_outputs="continue", backward_outputs="aligned" if aligned else "processing")


def _read_both(flax: Any, module: Any, path: str, weights_of: ReadWeights) -> Canonical:
    refuse_own_call(flax, module, path)
    names = ("forward_rnn", "backward_rnn")
    each = [read_layer(flax, getattr(module, name), f"{path}/{name}" if path else name, weights_of) for name in names]
    ones = [replace(canonical.architecture.layers[0], direction="forward") for canonical in each]
    if ones[0] != ones[1] or each[0].architecture.dtype != each[1].architecture.dtype:
        raise Refused(path, "backward_rnn", f"its two layers are not alike: {ones[0]} and {ones[1]}")
    both = replace(ones[0], direction="bidirectional", merge=_merge(flax, module.merge_fn, path))
    weights = LayerWeights.of([canonical.weights.layers[0] for canonical in each])
    return Canonical(replace(each[0].architecture, layers=(both,)), Weights((weights,)), _choices(True), path)


def _merge(flax: Any, function: Any, path: str) -> str:
    from jax import numpy as jnp

    known = {"concat": _default_merge(flax), "sum": jnp.add, "mul": jnp.multiply, "ave": averaged}
    for name, its_function in known.items():
        if function is its_function:
            return name
    raise Refused(
        path, "merge_fn", "it is neither the default nor jnp.add or jnp.multiply: what it computes is not known"
    )


def _default_merge(flax: Any) -> Any:
    import inspect

    return inspect.signature(flax.Bidirectional.__init__).parameters["merge_fn"].default


def merge_function(flax: Any, merge: str) -> dict[str, Any]:
    """The option of Bidirectional for a merge."""
    from jax import numpy as jnp

    functions = {"sum": jnp.add, "mul": jnp.multiply, "ave": averaged}
    return {"merge_fn": functions[merge]} if merge in functions else {}


def refuse_own_call(flax: Any, module: Any, path: str) -> None:
    """Raise Refused for a subclass that does something else than Flax's own class."""
    classes = type(module).__mro__
    own = next(c for c in classes if c.__module__.partition(".")[0] == "flax")
    for method in ("__call__", "initialize_carry"):
        if next((c for c in classes if method in vars(c)), own) not in own.__mro__:
            raise Refused(path, method, f"{type(module).__name__} has a {method} of its own, and not Flax's")


def _read_cell(flax: Any, cell: Any, path: str, weights_of: ReadWeights) -> tuple[Layer, LayerWeights, dict[str, Any]]:
    import jax

    kind = next((name for name in CELLS if isinstance(cell, getattr(flax, name))), "")
    if not kind:
        raise Refused(path, "cell", f"{type(cell).__name__} is none of {', '.join(CELLS)}")
    refuse_own_call(flax, cell, path)
    if getattr(cell, "residual", False):
        raise Refused(path, "residual", "a SimpleCell with it adds h to what is activated: another equation")
    if cell.carry_init not in (None, jax.nn.initializers.zeros):
        raise Refused(path, "carry_init", "sequences begin at another state than zero")
    name = CELLS[kind]
    activation = named(cell.activation_fn, path, "activation_fn")
    arrays = weights_of(cell, name, path)
    made: Cell
    if name == "lstm":
        gate = named(cell.gate_fn, path, "gate_fn", gate=True)
        made = Lstm(activation, gate, output_activation=activation, recurrent_bias="all" if "c" in arrays else "none")
    elif name == "gru":
        gate = named(cell.gate_fn, path, "gate_fn", gate=True)
        made = Gru(activation, gate, recurrent_bias=_bias_of_gru(arrays))
    else:
        made = TwoBiasedRnn(activation) if "c" in arrays else SimpleRnn(activation)
    units = arrays["U"].shape[1]
    layer = Layer(arrays["W"].shape[1], units, made, "b" in arrays)
    kept = str(arrays["W"].dtype)
    dtype = str(np.dtype(cell.dtype)) if cell.dtype is not None else kept
    contiguous = {part: np.array(array, order="C") for part, array in arrays.items()}
    dtypes = {"dtype": dtype, "weights_dtype": "" if kept == dtype else kept}
    return layer, in_order(layer, contiguous), dtypes


def _bias_of_gru(arrays: dict[str, Any]) -> str:
    if "c" not in arrays:
        return "none"
    return "all" if len(arrays["c"]) == len(arrays["b"]) else "candidate"


def named(function: Any, path: str, field: str, *, gate: bool = False) -> str:
    """What the specification calls an activation. Raises Refused for one that is not JAX's own."""
    for name, same in _functions(gate).items():
        if any(function is each for each in same):
            return name
    what = getattr(function, "__name__", type(function).__name__)
    raise Refused(path, field, f"{what} is none of jax.nn's {', '.join(_functions(gate))}")


def _functions(gate: bool) -> dict[str, tuple[Any, ...]]:
    import jax

    known: dict[str, tuple[Any, ...]] = {
        "tanh": (jax.numpy.tanh, jax.nn.tanh, jax.lax.tanh),
        "relu": (jax.nn.relu,),
        "sigmoid": (jax.nn.sigmoid, jax.lax.logistic),
        "linear": (activation("linear"),),
    }
    return {**known, "hard_sigmoid": (jax.nn.hard_sigmoid,)} if gate else known


def function_of(name: str) -> Any:
    """JAX's own activation of that name."""
    return _functions(True)[name][0]


def held(canonical: Canonical, framework: str, bias_of_gru: Callable[[Gru], str]) -> Canonical:
    """One bias, beside that of a GRU that `bias_of_gru` says: the declared map of Flax. Raises Refused."""
    architecture, path = canonical.architecture, canonical.path
    if len(architecture.layers) > 1:
        raise Refused(path, "layers", f"a stack is not one layer of {framework}: build each, as `layer(k)` gives it")
    if architecture.stateful:
        raise Refused(path, "stateful", f"{framework}'s RNN keeps no state: hand that of a call to the next one")
    (layer,), (given,) = architecture.layers, canonical.weights.layers
    refuse(layer, path, framework)
    dtype = dtype_of(architecture.weights_dtype or architecture.dtype)
    rows, cell = len(layer.cell.gates) * layer.units, layer.cell
    each = []
    for direction in given.directions:
        named = dict(direction.named)
        if not layer.use_bias:
            named["b"] = np.zeros(rows, dtype)
        if isinstance(cell, Gru):
            named = _biases_of_gru(named, bias_of_gru(cell), layer.units, dtype)
        else:
            named = one_bias(layer, named, dtype, path)
        each.append(named)
    if isinstance(cell, Gru):
        cell = replace(cell, recurrent_bias=bias_of_gru(cell))
    elif isinstance(cell, Lstm):
        cell = replace(cell, recurrent_bias="none", forget_bias=0.0)
    else:
        cell = SimpleRnn(cell.activation)
    layer = replace(layer, cell=cell, use_bias=True, dropout=0.0, recurrent_dropout=0.0)
    weights = Weights((LayerWeights.of([in_order(layer, named) for named in each]),))
    plain = Architecture(
        (layer,), dtype=architecture.dtype, weights_dtype=architecture.weights_dtype, return_state=True
    )
    aligned = layer.direction != "backward" or canonical.choices.backward_outputs == "aligned"
    kept = as_loaded(weights, architecture.dtype, path, dtype)
    return replace(canonical, architecture=plain, weights=kept, choices=_choices(aligned))


def _biases_of_gru(named: dict[str, Any], wanted: str, units: int, dtype: Any) -> dict[str, Any]:
    """The biases of a GRU that has a second one of `all` gates, of the `candidate` or of `none`: others are added."""
    b, c = named["b"].astype(np.float64), np.zeros(len(named["b"]))
    if "c" in named:
        c[-len(named["c"]) :] = named["c"]
    if wanted == "all":
        return {**named, "c": c.astype(dtype)}
    b[:-units] += c[:-units]
    rest = {part: array for part, array in named.items() if part != "c"}
    both = {**rest, "b": b.astype(dtype)}
    return both if wanted == "none" else {**both, "c": c[-units:].astype(dtype)}


def refuse(layer: Layer, path: str, framework: str) -> None:
    """Raise Refused for what no cell of Flax computes."""
    cell = layer.cell
    if cell.activations.get("gate") == "hard_sigmoid_fifth":
        raise Refused(path, "recurrent_activation", "the hard sigmoid of JAX is x / 6 + 1/2")
    if isinstance(cell, Lstm) and cell.output_activation != cell.activation:
        raise Refused(path, "output_activation", f"the activation_fn of {framework}'s LSTM is that of its output, too")
    if isinstance(cell, Lstm) and cell.projection:
        raise Refused(path, "projection", f"{framework}'s LSTM has none")
    if isinstance(cell, Gru) and cell.reset == "before":
        raise Refused(path, "reset", f"{framework}'s GRU multiplies with the reset gate after the product")
    if isinstance(cell, Gru) and cell.keep != "z":
        raise Refused(path, "keep", f"in {framework}'s GRU it is z that keeps the output before")


def options_of(kept: Canonical) -> dict[str, Any]:
    """The options of a cell, beside its sizes."""
    architecture, cell = kept.architecture, kept.architecture.layers[0].cell
    options = {
        "activation_fn": function_of(cell.activation),
        "dtype": dtype_of(architecture.dtype),
        "param_dtype": dtype_of(architecture.weights_dtype or architecture.dtype),
    }
    gate = cell.activations.get("gate")
    return {**options, "gate_fn": function_of(gate)} if gate else options


def rnn_options(kept: Canonical) -> dict[str, Any]:
    """The options of RNN."""
    if kept.architecture.layers[0].direction != "backward":
        return {}
    return {"reverse": True, "keep_order": kept.choices.backward_outputs == "aligned"}
