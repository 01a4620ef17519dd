"""Whether one layer has the weights of another, up to biases that are merged or shifted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.canonical import Canonical
from rnn_conformance.conformance.porting.gates import gate_at
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights

NAMES = {"W": "input kernel", "U": "recurrent kernel", "P": "projection", "b": "bias", "c": "recurrent bias"}


def difference(wanted: Canonical, found: Canonical) -> str:
    """The first number in which they differ, in words; empty where they do not.

    A bias may be the sum of two, formed exactly and rounded to the found layer's own dtype or not at all.
    """
    wrong = _choices(wanted, found)
    if wrong:
        return wrong
    dtype = dtype_of(found.architecture.weights_dtype or found.architecture.dtype)
    for k, (mine, yours) in enumerate(zip(wanted.weights.layers, found.weights.layers, strict=True)):
        layer, its_layer = wanted.architecture.layers[k], found.architecture.layers[k]
        for j, (a, b) in enumerate(zip(mine.directions, yours.directions, strict=True)):
            want, have = effective(layer, a), effective(its_layer, b)
            for name in want:
                rounded = want[name].astype(dtype).astype(np.float64)
                is_sum = name in "bc"
                same = (have[name] == want[name]) | (is_sum & (have[name] == rounded))
                if not same.all():
                    return _told(layer, name, j, have[name], want[name], np.argwhere(~same))
    return ""


def _choices(wanted: Canonical, found: Canonical) -> str:
    """What else the two cells compute otherwise."""
    for mine, yours in zip(wanted.architecture.layers, found.architecture.layers, strict=True):
        for field in ("activation", "recurrent_activation", "output_activation", "reset", "keep", "projection"):
            a, b = getattr(mine.cell, field, None), getattr(yours.cell, field, None)
            if a != b:
                return f"its {field} is {b}, but should be {a}"
    return ""


def effective(layer: Layer, weights: LayerWeights) -> dict[str, Array]:
    """The arrays in float64, the biases as the equation has them: what is added as one, and c of a GRU's n apart."""
    named = {name: array.astype(np.float64) for name, array in weights.named.items()}
    rows, units = len(layer.cell.gates) * layer.units, layer.units
    b = named.pop("b", np.zeros(rows)).copy()
    c = np.zeros(rows)
    given = named.pop("c", c)
    c[len(c) - len(given) :] = given
    if shift := getattr(layer.cell, "forget_bias", 0.0):
        k = layer.cell.gates.index("f")
        b[k * units : (k + 1) * units] += shift
    if getattr(layer.cell, "reset", "") != "after":
        return {**named, "b": b + c}
    b[:-units] += c[:-units]
    return {**named, "b": b, "c": c[-units:]}


def _told(layer: Layer, name: str, direction: int, have: Array, want: Array, wrong: NDArray[np.integer]) -> str:
    at = tuple(int(i) for i in wrong[0])
    where = f"[{', '.join(map(str, at))}]"
    cell = layer.cell
    gate = (
        ""
        if name == "P" or len(cell.gates) == 1
        else f" of gate {cell.gates[-1] if name == 'c' else gate_at(cell, layer.units, at[0])}"
    )
    end = " of the backward direction" if direction else ""
    share = f"{len(wrong)} of {want.size} differ"
    return f"its {NAMES[name]}{where}{gate}{end} is {have[at]:.9g}, but should be {want[at]:.9g} ({share})"
