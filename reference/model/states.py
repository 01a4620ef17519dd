"""States: what a layer carries from one timestep to the next. A state is indexed by layer, by direction, by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, overload

from rnn_conformance.reference.cells.cell import PARTS
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.weights import Array

T = TypeVar("T")
R = TypeVar("R")

DirectionState = tuple[Array, ...]
"""The parts of one direction's state, each (batch, its width): ``(h,)``, or ``(h, c)`` for an LSTM."""

LayerState = tuple[DirectionState, ...]
"""The state of one layer: that of its one direction, or of the forward one and the backward one."""

State = tuple[LayerState, ...]
"""The state of a model: one `LayerState` for each layer, in order."""

Nested = Sequence[Sequence[Sequence[T]]]
"""Anything that is nested like a State."""

StateShapes = tuple[tuple[tuple[tuple[int | None, ...], ...], ...], ...]
"""A shape for each array of a state; None stands for an axis of unknown length."""


def state_arrays(of: str, state: Nested[T] | None) -> Iterator[tuple[str, T]]:
    """Each array with its name, such as ``initial_state[1].backward`` where `of` is ``initial_state``."""
    for k, layer in enumerate(state or ()):
        for j, parts in enumerate(layer):
            yield from zip(part_names(of, k, j, len(parts)), parts, strict=True)


def part_names(of: str, layer: int, direction: int, count: int) -> list[str]:
    """The name of each part of one direction's state, which has `count` of them."""
    return [name_of(of, layer, direction, part if count > 1 else "") for part in PARTS[:count]]


def flat(state: Nested[T] | None) -> list[T]:
    """The arrays alone, in the same order: by layer, by direction, by part."""
    return [array for layer in state or () for parts in layer for array in parts]


def state_of(of: str, arrays: Mapping[str, Array]) -> State:
    """The state with these arrays by name; the inverse of `state_arrays`. Others may be among them."""
    layers: list[LayerState] = []
    while found := tuple(filter(None, (_parts(of, arrays, len(layers), j) for j in (0, 1)))):
        layers.append(found)
    return tuple(layers)


def _parts(of: str, arrays: Mapping[str, Array], k: int, j: int) -> DirectionState:
    names = (name_of(of, k, j, part) for part in ("", *PARTS))
    return tuple(arrays[name] for name in names if name in arrays)


@overload
def each_state(change: Callable[[T], R], state: Nested[T]) -> tuple[tuple[tuple[R, ...], ...], ...]: ...
@overload
def each_state(change: Callable[[T], R], state: Nested[T] | None) -> tuple[tuple[tuple[R, ...], ...], ...] | None: ...
def each_state(change: Callable[[T], R], state: Nested[T] | None) -> tuple[tuple[tuple[R, ...], ...], ...] | None:
    """The state whose every array is `change` of that of `state`."""
    if state is None:
        return None
    return tuple(tuple(tuple(change(array) for array in parts) for parts in layer) for layer in state)


def state_shapes(architecture: Architecture, batch: tuple[int | None, ...]) -> StateShapes:
    """The shape of each array of a state, after a `batch` axis of ``(length,)``, or of ``()`` where there is none."""

    def parts(widths: Mapping[str, int]) -> tuple[tuple[int | None, ...], ...]:
        return tuple((*batch, width) for width in widths.values())

    return tuple(
        (parts(layer.cell.widths(layer.units)),) * (1 + layer.is_bidirectional) for layer in architecture.layers
    )
