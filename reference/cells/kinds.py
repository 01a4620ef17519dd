"""Every cell by its name."""

from __future__ import annotations

from collections.abc import Mapping

from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn

CELLS: Mapping[str, type[Cell]] = {cell.name: cell for cell in (SimpleRnn, Lstm, Gru)}
"""The cells that a layer can have."""
