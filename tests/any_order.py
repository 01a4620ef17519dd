"""A right subject of its own kind: it reads an equation in its dtype, and does each word in one of its usual ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.activations import GATE_ACTIVATIONS
from rnn_conformance.reference.arithmetic.plain import Rows, by_sequence, by_time, for_each_gate, joined, places
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.layers.backwards import Passage
from rnn_conformance.reference.model.states import part_names

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Terms:
    """A sum of terms (terms, ..., units, batch) that have not been added up yet."""

    each: Array

    def __getitem__(self, place: Any) -> Terms:
        return Terms(self.each[place])


class AnyOrder:
    """The words in the dtype of the weights: sums in random orders, fused or not, biases in two, lerp in any form.

    `wide` sums are formed in float32 and stored; subnormal numbers are read and written as zero if it `flushes`.
    """

    def __init__(
        self,
        weights: Mapping[str, Array],
        gates: Sequence[str],
        rng: np.random.Generator,
        *,
        wide: bool = False,
        flushes: bool = False,
    ) -> None:
        self.rng, self.flushes = rng, flushes
        self.dtype = weights["W"].dtype
        self.sums = np.dtype(np.float32) if wide else self.dtype
        self.weights = {name: self.stored(array) for name, array in weights.items()}
        self.rows = Rows(self.weights, gates)

    def affine(
        self, products: Sequence[tuple[str, Any]], biases: Sequence[str] = (), gates: Sequence[str] = ()
    ) -> Terms:
        """Products in the type of the sums, or as wide as a fused operation has them; biases whole or halved."""
        terms = []
        for name, x in products:
            kernel, x = self.rows.of(name, gates), self.closed(x)
            product = self.rows_of_products(kernel, x)
            terms.append(product if self.coin() and self.sums == np.float32 else self.flushed(product, self.sums))
        found = np.concatenate(terms)
        for name in biases:
            if name in self.weights:
                b = np.broadcast_to(self.rows.of(name, gates)[:, np.newaxis], found.shape[1:]).astype(np.float64)
                half = self.stored(b / 2).astype(np.float64) if self.coin() else b
                found = np.concatenate([found, np.stack([half, b - half])])
        stores = self.sums != self.dtype and self.coin()  # as a runtime does that has a buffer for it
        return Terms(self.terms(self.closed(Terms(found))) if stores else found)

    def rows_of_products(self, kernel: Array, x: Array) -> Array:
        """All products of a kernel with numbers, (columns, ..., rows, batch), in float64."""
        kernel, x = kernel.astype(np.float64), x.astype(np.float64)
        columns = np.moveaxis(x, -2, 0)[..., np.newaxis, :]
        return kernel.T.reshape(len(columns), *(1,) * (x.ndim - 2), -1, 1) * columns

    def split(self, z: Any, heights: tuple[int, ...]) -> list[Any]:
        """Blocks of rows."""
        rows = (z.each if isinstance(z, Terms) else z).shape[-2]
        return [z[..., place, :] for place in places(rows, heights)]

    def act(self, name: str, z: Any) -> Array:
        """NumPy's own in this dtype."""
        return self.stored(GATE_ACTIVATIONS[name].function(self.closed(z)))

    def mul(self, a: Any, b: Any) -> Array:
        """One product."""
        return self.stored(self.closed(a) * self.closed(b))

    def add(self, a: Any, b: Any) -> Any:
        """One sum, or more terms of one."""
        if not isinstance(a, Terms) and not isinstance(b, Terms):
            return self.stored(a + b)
        return Terms(np.concatenate([self.terms(a), self.terms(b)]))

    def shift(self, a: Any, by: Sequence[float]) -> Terms:
        """One term more."""
        terms = self.terms(a)
        return Terms(np.concatenate([terms, np.broadcast_to(for_each_gate(by, terms), (1, *terms.shape[1:]))]))

    def lerp(self, z: Any, a: Any, b: Any) -> Array:
        """In one of four forms, the last one with a fused operation."""
        z, a, b = self.closed(z), self.closed(a), self.closed(b)
        s, one = self.stored, self.dtype.type(1)
        form = self.rng.integers(4)
        if form == 0:
            return s(s(z * a) + s(s(one - z) * b))
        if form == 1:
            return s(b + s(z * s(a - b)))
        if form == 2:
            return s(a + s(s(one - z) * s(b - a)))
        return s(z.astype(np.float64) * a.astype(np.float64) + s(s(one - z) * b).astype(np.float64))

    def terms(self, a: Any) -> Array:
        """The terms of a sum, in float64."""
        return a.each if isinstance(a, Terms) else a[np.newaxis].astype(np.float64)

    def closed(self, a: Any) -> Array:
        """The sum of all terms, one by one or of neighbours, in an order of its own for each row."""
        if not isinstance(a, Terms):
            return np.asarray(a)
        terms = self.rng.permuted(a.each, axis=0)
        if self.coin():
            total = self.flushed(terms[0], self.sums)
            for term in terms[1:]:
                total = self.flushed(total.astype(np.float64) + term, self.sums)
            return self.stored(total)
        while len(terms) > 1:
            if len(terms) % 2:
                terms = np.concatenate([terms, np.zeros_like(terms[:1])])
            terms = self.flushed(terms[::2].astype(np.float64) + terms[1::2], self.sums)
        return self.stored(terms[0])

    def stored(self, a: Array) -> Array:
        """As a number of the dtype."""
        return self.flushed(a, self.dtype)

    def flushed(self, a: Array, dtype: np.dtype[Any]) -> Array:
        """As a number of that type; subnormal ones as zero, if this subject does that."""
        a = a.astype(dtype)
        return np.where(np.abs(a) < finest(dtype), dtype.type(0), a) if self.flushes else a

    def coin(self) -> bool:
        """One of two ways."""
        return bool(self.rng.integers(2))


class AnyOrderBack(AnyOrder):
    """The same with what the way back asks for beside the words."""

    def product(self, name: str, x: Any, gates: Sequence[str] = (), *, transposed: bool = False) -> Terms:
        """A kernel, or its transpose, times numbers."""
        kernel = self.rows.of(name, gates)
        return Terms(self.rows_of_products(kernel.T if transposed else kernel, self.closed(x)))

    def slope(self, name: str, y: Any) -> Array:
        """From the value, in one of two forms."""
        y, s, one = self.closed(y), self.stored, self.dtype.type(1)
        if name == "tanh":
            return s(one - s(y * y)) if self.coin() else s(s(one - y) * s(one + y))
        if name == "sigmoid":
            return s(y * s(one - y)) if self.coin() else s(y - s(y * y))
        return s(GATE_ACTIVATIONS[name].derivative(y))

    def difference(self, a: Any, b: Any) -> Array:
        """One subtraction."""
        return self.stored(self.closed(a) - self.closed(b))

    def complement(self, z: Any) -> Array:
        """One subtraction."""
        return self.stored(self.dtype.type(1) - self.closed(z))

    def total(self, each: Sequence[Any]) -> Any:
        """All terms of all sums, together."""
        return each[0] if len(each) == 1 else Terms(np.concatenate([self.terms(a) for a in each]))

    def joined(self, parts: Mapping[int, Any], heights: tuple[int, ...]) -> Array:
        """Blocks of rows."""
        return joined({k: self.closed(part) for k, part in parts.items()}, heights)

    def over_time(self, d: Any, x: Any) -> Array:
        """The sum over timesteps and sequences, in any order."""
        d, x = self.closed(d).astype(np.float64), self.closed(x).astype(np.float64)
        products = d[:, :, np.newaxis] * x[:, np.newaxis]
        return self.closed(Terms(np.moveaxis(products, -1, 1).reshape(-1, *products.shape[1:3])))

    def sum_over_time(self, d: Any) -> Array:
        """The same of one factor."""
        d = self.closed(d).astype(np.float64)
        return self.closed(Terms(np.moveaxis(d, -1, 1).reshape(-1, d.shape[1], 1)))[:, 0]


def run_in_any_order(
    cell: Cell,
    weights: Mapping[str, Array],
    x: Array,
    initial: Sequence[Array],
    rng: np.random.Generator,
    **how: bool,
) -> list[Array]:
    """All values of each part of the state, (batch, timesteps, units), as `unrolled` returns them."""
    on = AnyOrder(weights, cell.gates, rng, **how)
    state: Any = [on.stored(part.T) for part in initial]
    found = []
    for t in range(x.shape[1]):
        state = [on.closed(part) for part in cell.step(on, cell.project(on, on.stored(x[:, t].T)), state)]
        found.append(state)
    return [np.stack(part).transpose(2, 0, 1) for part in zip(*found, strict=True)]


def gradients_in_any_order(
    cell: Cell,
    weights: Mapping[str, Array],
    x: Array,
    initial: Sequence[Array],
    d_outputs: Array,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Gradients by name, as those of a layer are named, where L depends on its outputs (batch, timesteps, units)."""
    states = run_in_any_order(cell, weights, x, initial, rng)
    together = zip(initial, states, strict=True)
    before = [np.concatenate([first[:, np.newaxis], part[:, :-1]], axis=1) for first, part in together]
    on: Any = AnyOrderBack(weights, cell.gates, rng)
    passage: Any = Passage(cell, on, by_time(x), [by_time(part) for part in before], lambda a, t: at(a, t), np.stack)
    found = passage.back([by_time(d_outputs), *[None] * (len(states) - 1)], x.shape[1])
    named = {f"layers[0].{name}": np.zeros_like(array) for name, array in weights.items()}
    for name, gates, d in found.weights:
        if name in weights:
            named[f"layers[0].{name}"][on.rows.where(name, gates)] += d
    names = part_names("initial_state", 0, 0, len(initial))
    parts = (on.closed(part).T for part in found.initial)
    return {**named, "inputs": by_sequence(on.closed(found.inputs)), **dict(zip(names, parts, strict=True))}


def at(a: Any, t: int) -> Any:
    """A number at one timestep."""
    return Terms(a.each[:, t]) if isinstance(a, Terms) else a[t]


def finest(dtype: np.dtype[Any]) -> float:
    """The smallest normal number."""
    return float(ml_dtypes.finfo(dtype).tiny)  # type: ignore[no-untyped-call]
