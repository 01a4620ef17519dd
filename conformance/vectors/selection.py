"""Which cases the set has: each cell, in each way that a layer is used, small enough to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer

VERSION = 1
"""The number of this set: another one where its cases, or the meaning of its files, are other ones."""

CELLS: Mapping[str, Cell] = {
    "simple-rnn": SimpleRnn(),
    "simple-rnn-relu": SimpleRnn("relu"),
    "lstm": Lstm(),
    "lstm-two-biases": Lstm(recurrent_bias="all"),
    "gru-reset-after": Gru(),
    "gru-reset-before": Gru(reset="before", recurrent_bias="none"),
}
"""The cells, with the choices in which frameworks differ most."""

_FEATURES, _UNITS, _BATCH, _TIMESTEPS = 3, 4, 2, 6


@dataclass(frozen=True)
class Vector:
    """A case of the set; `started` says whether the call is given the case's own initial state."""

    name: str
    case: Case
    started: bool


def vectors(dtype: str) -> Iterator[Vector]:
    """The whole set, in this dtype, each case with numbers of its own."""
    seed = 0
    for cell_name, cell in CELLS.items():
        for way, (model, started) in _ways(cell, dtype).items():
            pattern = "right" if model.masking == "lengths" else ""
            yield Vector(f"{cell_name}--{way}", Case(model, _BATCH, _TIMESTEPS, "unit", seed, pattern), started)
            seed += 1


def _ways(cell: Cell, dtype: str) -> Mapping[str, tuple[Architecture, bool]]:
    """Models of a cell, by what each is about, and whether they start from a given state."""
    layer = Layer(_FEATURES, _UNITS, cell)

    def model(*layers: Layer, **options: Any) -> Architecture:
        return Architecture(layers or (layer,), dtype=dtype, return_state=True, **options)

    both = Layer(_FEATURES, _UNITS, cell, direction="bidirectional")
    return {
        "plain": (model(), False),
        "initial-state": (model(), True),
        "no-bias": (model(Layer(_FEATURES, _UNITS, cell, use_bias=False)), False),
        "last-output": (model(return_sequences=False), False),
        "backward": (model(Layer(_FEATURES, _UNITS, cell, direction="backward")), True),
        "bidirectional": (model(both), True),
        "stack": (model(layer, Layer(_UNITS, 3, cell)), True),
        "lengths": (model(masking="lengths"), True),
        "bidirectional-lengths": (model(both, masking="lengths"), False),
        "embedding": (model(embedding=Embedding(5, _FEATURES)), False),
    }
