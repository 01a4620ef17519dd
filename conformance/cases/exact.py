"""One timestep of a cell in plain numbers, where these are so simple that every right layer gives the same bits.

The equations of chapters 15 to 17 of SPEC.md, written once more and in the shortest way: of activations only the places
are known where they are exact, and everything that follows from another place is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.weights import Array

_LIMIT = {"tanh": 20.0, "sigmoid": 1000.0, "hard_sigmoid": 4.0, "hard_sigmoid_fifth": 4.0}
"""From here on, in every precision, an activation has the value that it goes to, on both sides (clause 7.3)."""


def exact_step(cell: Cell, named: Mapping[str, Array], x: Array, state: Sequence[Array]) -> tuple[Array, ...]:
    """Each part of the state one timestep after `state`, (batch, units), in float64; NaN where it may be rounded.

    `named` are the arrays of one direction, by the names that the cell gives them, and `x` (batch, features) the input.
    """
    wide = {name: array.astype(np.float64) for name, array in named.items()}
    x, (h, *hidden) = x.astype(np.float64), (part.astype(np.float64) for part in state)
    projected = x @ wide["W"].T + wide.get("b", 0)
    if isinstance(cell, Lstm):
        return _lstm(cell, wide, projected, h, *hidden)
    if isinstance(cell, Gru):
        return (_gru(cell, wide, projected, h),)
    return (_activated(cell.activation, projected + h @ wide["U"].T),)


def _lstm(cell: Lstm, named: Mapping[str, Array], projected: Array, h: Array, c: Array) -> tuple[Array, Array]:
    i, f, g, o = np.split(projected + h @ named["U"].T + named.get("c", 0), 4, axis=-1)
    i, f, o = (_activated(cell.recurrent_activation, z) for z in (i, f + cell.forget_bias, o))
    c = f * c + i * _activated(cell.activation, g)
    h = o * _activated(cell.output_activation, c)
    return (h @ named["P"].T if cell.projection else h), c


def _gru(cell: Gru, named: Mapping[str, Array], projected: Array, h: Array) -> Array:
    z, r, n = np.split(projected, 3, axis=-1)
    U_z, U_r, U_n = np.split(named["U"], 3)
    c = named.get("c", np.zeros(len(named["U"])))
    c_z, c_r, c_n = np.split(c, 3) if cell.recurrent_bias != "candidate" else (0, 0, c)
    z = _activated(cell.recurrent_activation, z + h @ U_z.T + c_z)
    r = _activated(cell.recurrent_activation, r + h @ U_r.T + c_r)
    within = r * (h @ U_n.T + c_n) if cell.reset == "after" else (r * h) @ U_n.T + c_n
    n = _activated(cell.activation, n + within)
    return z * h + (1 - z) * n if cell.keep == "z" else z * n + (1 - z) * h


def _activated(name: str, z: Array) -> Array:
    """The activation where it is exact, and NaN elsewhere."""
    if name in ("relu", "linear"):
        return np.maximum(z, 0) if name == "relu" else z
    ends: Array = np.sign(z) if name == "tanh" else (1 + np.sign(z)) / 2
    return np.where((z == 0) | (np.abs(z) >= _LIMIT[name]), ends, np.nan)
