"""Tests of what a cell says of itself, and of those who walk what it says: names, drawing, witnesses, adapters."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from concluding import concluded

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import from_function
from rnn_conformance.adapters.numpy.adapter import adapter as numpy_adapter
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.support import refuse_unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import wardrobe
from rnn_conformance.conformance.cases.regimes import regimes_of
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.chorus import Chorus
from rnn_conformance.conformance.witnesses.encoding import (
    arrays_as_data,
    case_as_data,
    case_from_data,
    with_arrays,
)
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.names import Place, name_of, place_of
from rnn_conformance.reference.model.states import State, flat, state_arrays, state_of, state_shapes
from rnn_conformance.reference.model.weights import LayerWeights, Weights, parameter_count, weight_shapes

STACK = Architecture(
    (Layer(2, 3, Lstm(), direction="bidirectional"), Layer(6, 4, Gru()), Layer(4, 1)), return_state=True
)
CASE = Case(STACK, 2, 5, "unit", 0)


@pytest.mark.parametrize(
    ("cell", "count", "told"),
    [
        (SimpleRnn("relu"), 5 * 3 + 5 * 5 + 5, "simple_rnn(3 -> 5, relu)"),
        (Lstm(), 4 * (5 * 3 + 5 * 5 + 5), "lstm(3 -> 5, tanh)"),
        (Lstm(recurrent_bias="all"), 4 * (5 * 3 + 5 * 5 + 10), "lstm(3 -> 5, tanh, recurrent bias all)"),
        (
            Lstm("relu", "hard_sigmoid", "relu"),
            4 * (5 * 3 + 5 * 5 + 5),
            "lstm(3 -> 5, relu, recurrent activation ha",
        ),
        (Gru(), 3 * (5 * 3 + 5 * 5 + 10), "gru(3 -> 5, tanh)"),
        (Gru(recurrent_bias="candidate"), 3 * (5 * 3 + 5 * 5 + 5) + 5, "gru(3 -> 5, tanh, recurrent bias candidate)"),
        (Gru(reset="before", recurrent_bias="none"), 3 * (5 * 3 + 5 * 5 + 5), "gru(3 -> 5, tanh, reset before, recurr"),
    ],
)
def test_parameters(cell: Cell, count: int, told: str) -> None:
    """Each variant has the parameters that frameworks count for it, and is told by what is not usual."""
    layer = Layer(3, 5, cell)
    assert parameter_count(Architecture((layer,))) == count
    assert str(layer).startswith(told)
    without = parameter_count(Architecture((replace(layer, use_bias=False),)))
    assert without == len(cell.gates) * (5 * 3 + 5 * 5)


def test_names_of_arrays() -> None:
    """The part of a state is named where a cell has several; every name can be read again."""
    assert [name for name, _ in CASE.weights.arrays()] == [
        *("layers[0].W", "layers[0].U", "layers[0].b"),
        *("layers[0].backward.W", "layers[0].backward.U", "layers[0].backward.b"),
        *("layers[1].W", "layers[1].U", "layers[1].b", "layers[1].c"),
        *("layers[2].W", "layers[2].U", "layers[2].b"),
    ]
    states = dict(state_arrays("initial_state", CASE.initial_state))
    assert list(states) == [
        *("initial_state[0].h", "initial_state[0].c", "initial_state[0].backward.h", "initial_state[0].backward.c"),
        *("initial_state[1]", "initial_state[2]"),
    ]
    assert state_of("initial_state", states) == CASE.initial_state
    assert {name: array.shape for name, array in states.items()} == dict(
        state_arrays("initial_state", state_shapes(STACK, (2,)))
    )
    for name in (*weight_shapes(STACK), *states, "cotangent.final_state[1].backward.c"):
        place = place_of(name)
        assert place is not None
        assert name_of(*place) == name
    assert place_of("layers[0].backward.c") == Place("layers", 0, 1, "c")
    assert place_of("inputs") is None


@pytest.mark.parametrize("regime", regimes_of("lstm"))
def test_numbers_are_drawn_for_every_array(regime: str) -> None:
    """All arrays have their shapes, follow from the seed alone, and the biases that are added both carry numbers."""
    case = replace(CASE, regime=regime)
    assert {name: array.shape for name, array in case.weights.arrays()} == weight_shapes(STACK)
    for (_, array), (_, again) in zip(case.arrays.arrays(), case.fresh().arrays.arrays(), strict=True):
        assert (array == again).all()
    named = case.weights.layers[1].named
    assert named["b"].any()
    assert named["c"].any()
    assert all(h.any() for h in flat(case.initial_state))


@pytest.mark.parametrize("regime", regimes_of("lstm"))
def test_numbers_of_a_projection(regime: str) -> None:
    """Also where h has fewer numbers than there are units, or more, everything has its shape."""
    for projection in (2, 5):
        layer = Layer(2, 3, Lstm(projection=projection), direction="bidirectional")
        case = Case(Architecture((layer,), return_state=True), 2, 4, regime, 0)
        assert {name: array.shape for name, array in case.weights.arrays()} == weight_shapes(case.architecture)
        assert case.weights.layers[0].named["P"].any()
        assert [h.shape for h in flat(case.initial_state)] == [(2, projection), (2, 3)] * 2


def test_same_numbers_with_and_without_biases() -> None:
    bare = replace(STACK, layers=tuple(replace(layer, use_bias=False) for layer in STACK.layers))
    arrays = dict(CASE.weights.arrays())
    for name, array in replace(CASE, architecture=bare).weights.arrays():
        assert (array == arrays[name]).all(), name


def test_whole_numbers_leave_each_gate_a_permutation() -> None:
    for layer in replace(CASE, regime="integers").weights.layers:
        gates = np.abs(layer.U).reshape(-1, *[layer.U.shape[1]] * 2)
        assert (gates.sum(1) == 1).all()
        assert (gates.sum(2) == 1).all()


def test_witnesses_keep_cells_and_parts() -> None:
    """A case of several cells comes back from JSON with the same architecture and the same bits."""
    data = json.loads(json.dumps({**case_as_data(CASE), "arrays": arrays_as_data(CASE)}))
    arrays = data.pop("arrays")
    assert data["architecture"]["layers"][1]["cell"]["reset"] == "after"
    again = with_arrays(case_from_data(data), arrays)
    assert again == CASE
    for (name, array), (_, was) in zip(again.arrays.arrays(), CASE.arrays.arrays(), strict=True):
        assert (array == was).all(), name


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("lstm", "layers[0].cell should have a name, which is one of simple_rnn, lstm, gru"),
        ({"name": "transformer"}, "layers[0].cell should have a name, which is one of simple_rnn, lstm, gru"),
        ({"name": "gru", "reset": "never"}, "reset of gru is 'never', but should be one of after, before"),
        ({"name": "gru", "forget_bias": 1.0}, "layers[0].cell has fields too many or too few: forget_bias"),
        ({"name": "lstm", "forget_bias": True}, "layers[0].cell.forget_bias should be of type float"),
        ({"name": "lstm", "activation": "hard_sigmoid"}, "activation is 'hard_sigmoid', but should be one of tanh"),
    ],
)
def test_damaged_cells_are_named(cell: Any, message: str) -> None:
    data = case_as_data(Case(Architecture((Layer(2, 3),)), 2, 4, "unit", 0))
    data["architecture"]["layers"][0]["cell"] = cell
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        case_from_data(data)
    assert message in str(caught.value)


def test_cells_of_other_words_are_refused() -> None:
    with pytest.raises(ValueError, match="activation of simple_rnn is 'selu', but should be one of tanh"):
        SimpleRnn("selu")
    with pytest.raises(ValueError, match="recurrent_bias of lstm is 'some', but should be one of none, all"):
        Lstm(recurrent_bias="some")


BEFORE = Description(
    "Gated",
    {},
    cells=("lstm", "gru"),
    activations=("tanh",),
    variants=(Gru(reset="before", recurrent_bias="none"),),
    unsupported={"simple_rnn": "nobody ships it", "gru reset after": "the reset gate comes first"},
)


def test_an_adapter_says_which_cells_it_has() -> None:
    assert Description("One", {}).variants_of("simple_rnn")[:2] == (SimpleRnn("tanh"), SimpleRnn("relu"))
    assert BEFORE.variants_of("lstm") == (Lstm(),)
    assert BEFORE.variants_of("gru") == (Gru(reset="before", recurrent_bias="none"),)
    assert BEFORE.variants_of("simple_rnn") == ()


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (SimpleRnn(), "nobody ships it"),
        (Gru(), "the reset gate comes first"),
        (
            Gru(reset="before"),
            "of gru the adapter offers tanh, reset before, recurrent bias none, and not tanh",
        ),
        (Lstm("relu"), "the adapter does not offer relu"),
        (Lstm(output_activation="relu"), "of lstm the adapter offers tanh, and not tanh, output activation relu"),
    ],
)
def test_cells_that_an_adapter_lacks_are_refused(cell: Cell, reason: str) -> None:
    with pytest.raises(Unsupported) as caught:
        refuse_unsupported(BEFORE, Architecture((Layer(2, 3, cell),)))
    assert str(caught.value).startswith(reason)
    refuse_unsupported(BEFORE, Architecture((Layer(2, 3, Lstm()), Layer(3, 2, BEFORE.variants[0]))))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cells": ()}, "at least one mode, one dtype and one cell"),
        ({"cells": ("rnn",)}, r"cells names \['rnn'\], but the cells are simple_rnn, lstm, gru"),
        ({"variants": (Lstm(),)}, "variants has lstm, which cells does not name"),
        ({"unsupported": {"mgu reset after": "x"}}, "unsupported names"),
    ],
)
def test_damaged_descriptions(fields: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Description("One", {}, **fields)


def test_a_run_takes_the_variants_of_its_cell_by_turns() -> None:
    variants = (Gru(), Gru(reset="before"))
    found = wardrobe("stack", 4, 0, variants, (True, False), wanted=("tanh",))
    assert {layer.cell for each in found for layer in each.layers} == set(variants)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_check_is_run_for_a_cell(cell: str) -> None:
    """The reference conforms, whichever its cell; an adapter that lacks the cell does not support the check."""
    recurrence = "test_values.py::test_recurrence"
    record = concluded(numpy_adapter, recurrence, cell=cell)
    assert (record.verdict, record.message) == ("conforms", "")
    lacking = concluded(from_function(network.run), recurrence, cell=cell)
    assert (lacking.verdict, lacking.message) == ("unsupported", f"the adapter does not offer {cell}")


def test_a_fault_in_a_gate_is_found() -> None:
    """A forget gate and an input gate that are swapped show, and the witness says which cell it has."""

    def swapped(a: Architecture, w: Weights, x: np.ndarray, state: State | None) -> Output:
        def change(array: np.ndarray) -> np.ndarray:
            i, f, *others = np.split(array, 4)
            return np.concatenate([f, i, *others])

        return network.run(a, w.map(change), x, state)

    adapter = from_function(swapped, Description("Swapped", {}, cells=("lstm",), variants=(Lstm(),)))
    record = concluded(adapter, "test_values.py::test_recurrence", cell="lstm")
    assert record.verdict == "fails"
    assert "lstm(" in record.case


def test_weights_with_other_arrays() -> None:
    layer = LayerWeights({"W": np.ones((1, 1)), "U": np.ones((1, 1)), "b": np.ones(1)})
    both = replace(layer, backward=layer)
    other = both.with_arrays(U=np.zeros((1, 1)), b=None, c=np.zeros(1))
    assert list(other.named) == ["W", "U", "c"]
    assert other.backward is layer
    assert other.b is None
    assert not other.U.any()
    assert list(dict(Weights((other,)).arrays())) == [
        *("layers[0].W", "layers[0].U", "layers[0].c"),
        *("layers[0].backward.W", "layers[0].backward.U", "layers[0].backward.b"),
    ]


def test_a_chorus_hears_a_fault_in_gradients_of_weights() -> None:
    """Arrays that are told by name are compared, too, when many mutants run at once."""
    case = Case(Architecture((Layer(2, 3),)), 2, 4, "unit", 0)
    chorus = Chorus([catalogue()[name] for name in ("bias-gradient-mean", "relu-passes-everything")])
    voices = chorus.prepare(case.architecture)
    voices.load(case.weights)
    voices.gradients(case.inputs, case.cotangent)
    assert chorus.apart == {"bias-gradient-mean"}
