"""Reading and building flax.linen.RNN and Bidirectional over its cells: a module and its variables.

A Linen module has no layers before it is called, and so a model is read from a call; a layer by itself is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Canonical, Other, Refused, Survey
from rnn_conformance.adapters.flax import reading
from rnn_conformance.adapters.flax.linen_cells import KINDS
from rnn_conformance.adapters.jax.arrays import x64
from rnn_conformance.reference.cells.gru import Gru

_DIRECTIONS = ("forward_rnn", "backward_rnn")


def survey(model: Any, arguments: Arguments | None = None) -> Survey:
    """Every recurrent layer of ``(module, variables)``, by the names on the way to it, and what else has parameters.

    Raises ValueError for a model that is no layer, without arguments to call it with.
    """
    from flax import linen

    module, variables = model
    if isinstance(module, linen.RNN | linen.Bidirectional):
        return _of_one(module.bind(variables))
    if arguments is None:
        raise ValueError("a Linen model has no layers before it is called: give read its inputs as well")
    found: dict[str, Canonical] = {}
    refused: dict[str, Refused] = {}
    within: list[str] = []
    cells: set[str] = set()

    def noting(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        module, path = context.module, "/".join(context.module.path)
        if within or context.method_name != "__call__":
            return call(*args, **kwargs)
        if isinstance(module, linen.RNNCellBase):
            refused[path] = Refused(
                path, "cell", "a Linen cell that somebody's own loop calls is not read, but an nn.RNN is"
            )
            return call(*args, **kwargs)
        if not isinstance(module, linen.RNN | linen.Bidirectional):
            return call(*args, **kwargs)
        try:
            found[path] = read_bound(module, path)
        except Refused as reason:
            refused[path] = reason
        cells.update(_cells(module))
        within.append(path)
        result = call(*args, **kwargs)
        within.pop()
        return result

    inputs = arguments.inputs if isinstance(arguments.inputs, tuple) else (arguments.inputs,)
    with linen.intercept_methods(noting):
        module.apply(variables, *inputs)
    return Survey(
        tuple(found.values()), tuple(refused.values()), tuple(_others(variables["params"], {*found, *refused, *cells}))
    )


def _cells(module: Any) -> Iterator[str]:
    """Where the parameters of a layer's cells are: beside it, if they were made before it."""
    for rnn in (module.forward_rnn, module.backward_rnn) if hasattr(module, "forward_rnn") else (module,):
        yield "/".join(getattr(getattr(rnn, "cell", None), "path", None) or ("",))


def _of_one(bound: Any) -> Survey:
    try:
        return Survey((read_bound(bound, ""),))
    except Refused as reason:
        return Survey((), (reason,))


def _others(params: Any, known: set[str], path: str = "") -> Any:
    """Whatever else has parameters: by the words of its place in the tree, for its class is not kept there."""
    own = sum(int(np.size(leaf)) for leaf in params.values() if hasattr(leaf, "shape"))
    if own:
        yield Other(path, path.rpartition("/")[2].rpartition("_")[0] or path, own)
    for name, inner in params.items():
        there = f"{path}/{name}" if path else name
        if not hasattr(inner, "shape") and there not in known:
            yield from _others(inner, known, there)


def read_bound(module: Any, path: str = "") -> Canonical:
    """An RNN or a Bidirectional that is bound to its variables. Raises Refused."""
    from flax import linen

    return reading.read_layer(linen, module, path, _weights_of)


def _weights_of(cell: Any, name: str, path: str) -> dict[str, Any]:
    import jax

    if "params" not in cell.variables:
        raise Refused(path, "variables", "there are none for it")
    params = cell.variables["params"]
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(params)):
        raise Refused(path, "variables", "it stands within a transformed module, whose variables have no numbers here")
    return KINDS[name].weights_in({"cell": params})


def held(canonical: Canonical) -> Canonical:
    """One bias, and of a GRU a second one of n. Raises Refused."""
    if canonical.is_cell:
        raise Refused(canonical.path, "cell", "a Linen cell has no variables of its own: build a layer")
    return reading.held(canonical, "Flax Linen", _bias_of_gru)


def _bias_of_gru(gru: Gru) -> str:
    return "candidate"


def build(canonical: Canonical) -> tuple[Any, Any]:
    """A linen.RNN over its cell, in a Bidirectional where it has two directions, and its variables. Raises Refused."""
    import jax
    from flax import linen

    kept = held(canonical)
    (layer,) = kept.architecture.layers
    kind = KINDS[layer.cell.name]

    def rnn() -> Any:
        cell = getattr(linen, kind.cell)(layer.units, **reading.options_of(kept))
        return linen.RNN(cell, **reading.rnn_options(kept))

    made = (
        linen.Bidirectional(rnn(), rnn(), **reading.merge_function(linen, layer.merge))
        if layer.is_bidirectional
        else rnn()
    )
    trees = [kind.params_of(direction.named) for direction in kept.weights.layers[0].directions]
    params = dict(zip(_DIRECTIONS, trees, strict=True)) if layer.is_bidirectional else trees[0]
    with x64(kept.architecture.weights_dtype or kept.architecture.dtype):
        return made, {"params": jax.tree.map(jax.numpy.array, params)}


def load(module: Any, canonical: Canonical) -> None:
    """Nothing of a Linen module holds weights. Raises Refused."""
    raise Refused(canonical.path, "variables", "weights are an argument of each call: build gives them")
