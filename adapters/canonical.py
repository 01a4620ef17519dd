"""A user's own recurrent layer in the words of SPEC.md: what is read, refused, built and seen when it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


class Refused(ValueError):
    """What cannot be said in canonical words, or not in those of a target: the `field` of the layer at `path`."""

    def __init__(self, path: str, field: str, reason: str) -> None:
        super().__init__(f"{path or 'the layer'}: {field}: {reason}")
        self.path, self.field, self.reason = path, field, reason


@dataclass(frozen=True, eq=False)
class Canonical:
    """One recurrent layer, or a stack that is one module, as SPEC.md has it.

    `path` is where it was found, `also` where else, `choices` what it does where the specification leaves a choice,
    `training` what it has that matters in training only, and that is left out here. A cell that a user's own loop
    calls `is_cell`.
    """

    architecture: Architecture
    weights: Weights
    choices: Choices = Choices()
    path: str = ""
    also: tuple[str, ...] = ()
    training: tuple[str, ...] = ()
    is_cell: bool = False

    def layer(self, k: int) -> Canonical:
        """The k-th layer of a stack, by itself."""
        one = replace(self.architecture, layers=self.architecture.layers[k : k + 1])
        path = self.path if len(self.architecture.layers) == 1 else f"{self.path}[{k}]"
        return replace(self, architecture=one, weights=Weights(self.weights.layers[k : k + 1]), path=path)

    def equals(self, other: Canonical) -> bool:
        """Whether both are the same layer, their weights to the last bit."""
        mine, yours = dict(self.weights.arrays()), dict(other.weights.arrays())
        return (
            (self.architecture, self.choices, mine.keys()) == (other.architecture, other.choices, yours.keys())
            and all(str(mine[name].dtype) == str(yours[name].dtype) for name in mine)
            and all(mine[name].tobytes() == yours[name].tobytes() for name in mine)
        )


Part = Canonical | Mapping[str, Any]
"""What a layer of a written model holds: a recurrent one in canonical words, any other its arrays by name."""


@dataclass(frozen=True)
class Other:
    """A layer of a model that is not recurrent, with how many parameters it has of its own."""

    path: str
    kind: str
    parameters: int


@dataclass(frozen=True)
class Survey:
    """Every recurrent layer of a model: those that could be read, and why others could not; and what else there is."""

    layers: tuple[Canonical, ...]
    refused: tuple[Refused, ...] = ()
    others: tuple[Other, ...] = ()


NOT_SEEN = "it is judged by the wider bound of what is not seen"
"""What `Call.not_seen` says of a layer that could not be opened."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a recurrent layer: what it was given and what came out, with a batch axis, time after that.

    `inputs` is (batch, timesteps, features), `mask` (batch, timesteps), true where valid. `output` has the outputs at
    all timesteps, (batch, timesteps, width), and the final state, unless `is_last` says that the layer shows its last
    output alone. `not_seen` says of a layer that was opened for this why its numbers are not those that it showed.
    """

    canonical: Canonical
    inputs: Array
    output: Output
    initial_state: State | None = None
    mask: Mask | None = None
    is_last: bool = False
    not_seen: str = ""


@dataclass(frozen=True)
class Arguments:
    """What a model is called with. `initial_state` and `lengths` or `mask` are those of a single recurrent layer."""

    inputs: Any
    initial_state: State | None = None
    lengths: Any = None
    mask: Any = None
    variables: Any = None


@dataclass(frozen=True)
class Porter:
    """Reading, building and watching the layers of a framework: what it has for each, or somebody else's adapter has.

    `owns` says whether a model is of this framework. `survey` tells what is in one; some can be read only from a call,
    which then has these arguments. `held` is what becomes of a layer there, the declared map; `build` gives a layer of
    the framework's own, of which `read` gives `held(canonical)`, and `load` puts the weights into one that stands:
    these raise Refused, by field. `watch` calls a model, and gives each call of each recurrent layer that was read, in
    order, and what came out. `differentiate` calls the layer of a model that was read, with arguments as a `Call` has
    them, and gives the framework's own gradients for a cotangent of all that it returns; it raises Refused, by the
    field ``gradients``, for a layer that it cannot call by itself. `describe` is the description of the adapter.
    """

    name: str
    owns: Callable[[Any], bool]
    survey: Callable[[Any, Arguments | None], Survey]
    held: Callable[[Canonical], Canonical]
    build: Callable[[Canonical], Any]
    load: Callable[[Any, Canonical], None]
    watch: Callable[[Any, Survey, Arguments], tuple[list[Call], Any]]
    differentiate: Callable[[Any, Canonical, Arguments, Output], Gradients]
    describe: Callable[[], Description]

    def precision(self, dtype: str) -> Precision:
        """The arithmetic of a dtype. Raises ValueError for one that the framework does not have."""
        described = self.describe()
        if dtype not in described.precision:
            raise ValueError(f"{described.framework}: {dtype}: {described.lacks(dtype)}")
        return described.precision[dtype]


@dataclass(frozen=True)
class Target(Porter):
    """A framework in which a whole model can be written.

    `fill` gives the layers of a new model, by attribute, what they hold: a recurrent one a Canonical, an embedding its
    ``table``, a dense layer its ``kernel`` and perhaps a ``bias``. What it returns is the model, ready to be called.
    `part` is one of its layers by itself. `save` writes what it has under these attributes as safetensors.
    """

    fill: Callable[[Any, Mapping[str, Part]], Any]
    part: Callable[[Any, str], Any]
    save: Callable[[Any, Sequence[str], Path], None]


def filled(
    model: Any,
    parts: Mapping[str, Part],
    load: Callable[[Any, Canonical], None],
    put: Callable[[Any, Mapping[str, Any]], None],
) -> Any:
    """A model whose layers keep their weights: a recurrent one is loaded, and others are put their arrays."""
    for name, part in parts.items():
        if isinstance(part, Canonical):
            load(getattr(model, name), part)
        else:
            put(getattr(model, name), part)
    return model


def as_loaded(weights: Weights, dtype: str, path: str, cast: Any) -> Weights:
    """The weights in the dtype in which a target keeps them. Raises Refused where one would be another number."""

    def kept(array: Array) -> Array:
        narrow: Array = array.astype(cast)
        if not np.array_equal(narrow.astype(np.float64), array.astype(np.float64), equal_nan=True):
            raise Refused(path, "dtype", f"{dtype} cannot hold every number of the weights")
        return narrow

    return weights.map(kept)


def merged_biases(named: Mapping[str, Array], dtype: np.dtype[Any]) -> dict[str, Array]:
    """One bias in the place of two that are added: their sum, formed in float64 and rounded once."""
    if "c" not in named:
        return dict(named)
    total = named["b"].astype(np.float64) + named["c"].astype(np.float64)
    return {**{name: array for name, array in named.items() if name != "c"}, "b": total.astype(dtype)}


def one_bias(layer: Layer, named: dict[str, Array], dtype: np.dtype[Any], path: str) -> dict[str, Array]:
    """The arrays of a direction where only one bias is added, and nothing to the forget gate when the layer runs.

    The recurrent bias and what the equation adds are merged into b: formed in float64, and rounded once.
    """
    shift = getattr(layer.cell, "forget_bias", 0.0)
    if shift and not layer.use_bias:
        raise Refused(path, "forget_bias", "there is no bias into which what is added to the forget gate could go")
    if shift:
        gate = np.arange(len(named["b"])) // layer.units == layer.cell.gates.index("f")
        named = {**named, "b": named["b"].astype(np.float64) + np.where(gate, shift, 0.0)}
    merged = merged_biases(named, dtype)
    return {**merged, "b": merged["b"].astype(dtype)} if "b" in merged else merged


def all_gates(named: dict[str, Array]) -> dict[str, Array]:
    """A recurrent bias of every gate, zero where there was none."""
    if "b" not in named:
        return named
    c = np.zeros_like(named["b"])
    if "c" in named:
        c[-len(named["c"]) :] = named["c"]
    return {**named, "c": c}


def in_order(layer: Layer, named: Mapping[str, Array]) -> LayerWeights:
    """The arrays of a direction in the order of its cell."""
    return LayerWeights({part: named[part] for part in layer.cell.shapes(layer.features, layer.units, layer.use_bias)})
