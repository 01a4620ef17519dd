"""Which doors a check of activations goes through."""

from __future__ import annotations

import pytest

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import from_function
from rnn_conformance.adapters.numpy.adapter import adapter
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.torch.adapter import adapter as torch_adapter
from rnn_conformance.conformance.checks.roles import cell_that_shows, doors_to
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.selftest.trials import check_of
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers import network

BOTH = ("tanh", "sigmoid")


@pytest.mark.parametrize(
    ("cell", "roles"),
    [
        ("simple_rnn", ["candidate tanh", "candidate sigmoid"]),
        ("lstm", ["candidate tanh", "output tanh", "gate o sigmoid", "gate i sigmoid", "gate f sigmoid"]),
        ("gru", ["candidate tanh", "gate z sigmoid", "gate r sigmoid"]),
    ],
)
def test_each_role_is_seen_once(cell: str, roles: list[str]) -> None:
    """However many variants of a cell have the same activation in the same role."""
    check = check_of("a", Subject(adapter), "float32", "default", 0, cell)
    assert [f"{door.role} {door.activation}" for _, door in doors_to(check, BOTH)] == roles


def test_one_cell_has_to_do_where_each_is_compiled() -> None:
    """In smoke, of the two hard sigmoids one is looked at; elsewhere both."""
    names = ("hard_sigmoid", "hard_sigmoid_fifth")
    for profile, count in (("smoke", 1), ("default", 2)):
        check = check_of("a", Subject(adapter), "float32", profile, 0, "lstm")
        assert len({cell for cell, _ in doors_to(check, names)}) == count


def test_what_is_lacking_is_told_with_its_reason() -> None:
    """The adapter's own reason, where it gives one for the activation in that role."""
    check = check_of("a", Subject(torch_adapter), "float32", "smoke", 0, "lstm")
    with pytest.raises(Unsupported, match=r"the activations of torch\.nn\.LSTM and GRU are tanh and sigmoid"):
        doors_to(check, ["hard_sigmoid"])
    with pytest.raises(Unsupported, match="no activation of its gru is hard_sigmoid_fifth"):
        doors_to(check_of("a", Subject(torch_adapter), "float32", "smoke", 0, "gru"), ["hard_sigmoid_fifth"])


def test_a_cell_that_shows_has_the_activation_wherever_a_number_passes() -> None:
    """An LSTM for its candidate and for what it puts out; the gates, through which none passes, have their sigmoid."""
    of_numpy, of_torch = (
        check_of("a", Subject(each), "float32", "default", 0, "lstm") for each in (adapter, torch_adapter)
    )
    assert cell_that_shows(of_numpy, ("linear", "relu", "tanh")) == Lstm("relu", output_activation="relu")
    assert cell_that_shows(check_of("a", Subject(adapter), "float32", "default", 0, "gru"), ["relu"]) == Gru("relu")
    with pytest.raises(Unsupported, match="no lstm of the adapter has relu wherever a number passes"):
        cell_that_shows(of_torch, ["relu"])


def test_gates_are_the_usual_ones_where_they_are_no_matter() -> None:
    """Keras' first LSTM of relu has hard gates, of which more is known to be wrong."""
    from_keras = [Lstm("relu", "hard_sigmoid", output_activation="relu"), Lstm("relu", output_activation="relu")]
    description = Description("Keras", {}, cells=("lstm",), variants=tuple(from_keras))
    check = check_of("a", Subject(from_function(network.run, description)), "float32", "default", 0, "lstm")
    assert cell_that_shows(check, ["relu"]) == from_keras[1]
    assert {cell for cell, _ in doors_to(check, ["relu"])} == {from_keras[1]}
