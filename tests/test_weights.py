"""Tests of weights and states as named arrays: one walk, one way back, and the shapes that a model asks for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.states import each_state, state_arrays, state_of, state_shapes
from rnn_conformance.reference.model.weights import Weights, in_float64, parameter_count, weight_shapes, widened

ARCHITECTURE = Architecture(
    (
        Layer(2, 3, direction="bidirectional"),
        Layer(6, 4, use_bias=False),
        Layer(4, 1, direction="bidirectional", use_bias=False),
    ),
    Embedding(5, 2),
    return_state=True,
)
NAMES = [
    "embedding",
    *("layers[0].W", "layers[0].U", "layers[0].b"),
    *("layers[0].backward.W", "layers[0].backward.U", "layers[0].backward.b"),
    *("layers[1].W", "layers[1].U"),
    *("layers[2].W", "layers[2].U", "layers[2].backward.W", "layers[2].backward.U"),
]
CASE = Case(ARCHITECTURE, 2, 3, "unit", 0)


def test_every_array_has_a_name_and_a_shape() -> None:
    assert [name for name, _ in CASE.weights.arrays()] == NAMES
    assert weight_shapes(ARCHITECTURE) == {name: array.shape for name, array in CASE.weights.arrays()}
    assert parameter_count(ARCHITECTURE) == sum(array.size for _, array in CASE.weights.arrays())


def test_weights_from_their_arrays() -> None:
    arrays = dict(CASE.weights.arrays())
    again = Weights.of({"inputs": CASE.inputs, **arrays})
    assert list(again.arrays()) == list(arrays.items())
    assert [layer.backward is None for layer in again.layers] == [False, True, False]


def test_map_reaches_every_array_once_and_in_order() -> None:
    seen: list[int] = []

    def count(array: np.ndarray) -> np.ndarray:
        seen.append(array.size)
        return np.full_like(array, len(seen))

    counted = CASE.weights.map(count)
    assert seen == [array.size for _, array in CASE.weights.arrays()]
    assert [array.flat[0] for _, array in counted.arrays()] == list(range(1, len(NAMES) + 1))


def test_map_over_several_weights() -> None:
    twice = CASE.weights.map(np.add, CASE.weights)
    for (name, array), (_, once) in zip(twice.arrays(), CASE.weights.arrays(), strict=True):
        assert (array == 2 * once).all(), name
    with pytest.raises(ValueError, match="shorter"):
        CASE.weights.map(np.add, replace(CASE.weights, layers=CASE.weights.layers[:1]))


def test_in_float64_and_widened() -> None:
    for name, array in in_float64(CASE.weights).arrays():
        assert array.dtype == np.float64, name
    finer = in_float64(CASE.weights).map(lambda array: array + 1e-12)
    for (_, array), (_, narrow) in zip(widened(finer, "float32").arrays(), finer.arrays(), strict=True):
        assert array.dtype == np.float64
        assert (array == narrow.astype(np.float32)).all()


def test_directions() -> None:
    two, one, _ = CASE.weights.layers
    assert [each.backward for each in two.directions] == [None, None]
    assert two.directions[1] is two.backward
    assert one.directions == (one,)
    assert list(one.named) == ["W", "U"]


def test_states_by_name() -> None:
    state = CASE.initial_state
    arrays = dict(state_arrays("initial_state", state))
    names = [name_of("initial_state", k, j) for k, j in ((0, 0), (0, 1), (1, 0), (2, 0), (2, 1))]
    assert list(arrays) == names
    assert names[1] == "initial_state[0].backward"
    assert state_of("initial_state", {"mask": np.ones(1), **arrays}) == state
    assert state_shapes(ARCHITECTURE, (2,)) == each_state(lambda h: h.shape, state)
    assert state_shapes(ARCHITECTURE, ())[0] == (((3,),), ((3,),))
    assert list(state_arrays("final_state", None)) == []
