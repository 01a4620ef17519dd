"""Which layers Keras writes out timestep by timestep on OpenVINO: they take minutes where they are long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rnn_conformance.adapters.keras.backends import is_written_out
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer

DEFAULT = Architecture((Layer(2, 3, Lstm()), Layer(3, 3, Gru(recurrent_bias="all"))), mode="eager")


def of(cell: Cell, **changes: object) -> Architecture:
    """The default one, with a layer of this cell in place of the second."""
    return replace(DEFAULT, layers=(DEFAULT.layers[0], replace(Layer(3, 3, cell), **changes)))


def test_default_layers_are_operators() -> None:
    """Of an LSTM and a GRU as they are by default, OpenVINO has operators."""
    assert not is_written_out(DEFAULT, masked=False)


@pytest.mark.parametrize(
    "architecture",
    [
        of(SimpleRnn()),
        of(Gru(reset="before")),
        of(Lstm(recurrent_activation="hard_sigmoid")),
        of(Lstm("relu")),
        of(Lstm(), use_bias=False),
        of(Lstm(), recurrent_dropout=0.5),
        replace(DEFAULT, embedding=Embedding(5, 2, mask_zero=True)),
        replace(DEFAULT, mode="unrolled"),
    ],
    ids=["simple RNN", "reset before", "hard sigmoid", "relu", "no bias", "dropout", "embedding", "unrolled"],
)
def test_others_are_written_out(architecture: Architecture) -> None:
    """One such layer is enough, and so is a mask of the embedding's."""
    assert is_written_out(architecture, masked=False)


def test_masked_layers_are_written_out() -> None:
    """Of one with a mask there is no operator."""
    assert is_written_out(DEFAULT, masked=True)
