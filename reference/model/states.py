"""States: what a layer carries from one timestep to the next. A state is indexed by layer, then by direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, overload

from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.weights import Array

T = TypeVar("T")
R = TypeVar("R")

LayerState = tuple[Array, ...]
"""The state of one layer: ``(h,)``, or ``(h forward, h backward)`` if it is bidirectional; each (batch, units)."""


State = tuple[LayerState, ...]
"""The state of a model: one `LayerState` for each layer, in order."""


def state_arrays(of: str, state: Sequence[Sequence[T]] | None) -> Iterator[tuple[str, T]]:
    """Each array with its name, such as ``initial_state[1].backward`` where `of` is ``initial_state``."""
    for k, layer_state in enumerate(state or ()):
        for j, h in enumerate(layer_state):
            yield name_of(of, k, j), h


def state_of(of: str, arrays: Mapping[str, Array]) -> State:
    """The state with these arrays by name; the inverse of `state_arrays`. Others may be among them."""
    layers: list[LayerState] = []
    while found := [arrays[name] for j in (0, 1) if (name := name_of(of, len(layers), j)) in arrays]:
        layers.append(tuple(found))
    return tuple(layers)


@overload
def each_state(change: Callable[[T], R], state: Sequence[Sequence[T]]) -> tuple[tuple[R, ...], ...]: ...
@overload
def each_state(change: Callable[[T], R], state: Sequence[Sequence[T]] | None) -> tuple[tuple[R, ...], ...] | None: ...
def each_state(change: Callable[[T], R], state: Sequence[Sequence[T]] | None) -> tuple[tuple[R, ...], ...] | None:
    """The state whose every array is `change` of that of `state`."""
    return None if state is None else tuple(tuple(change(h) for h in layer) for layer in state)


def state_shapes(
    architecture: Architecture, batch: tuple[int | None, ...]
) -> tuple[tuple[tuple[int | None, ...], ...], ...]:
    """The shape of each array of a state, after a `batch` axis of ``(length,)``, or of ``()`` where there is none."""
    return tuple(((*batch, layer.units),) * (1 + layer.is_bidirectional) for layer in architecture.layers)
