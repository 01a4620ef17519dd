"""The plain arithmetic: an equation's words as NumPy operations on arrays, for the reference's values.

Arrays are (units, batch), with a time axis before them where all timesteps are computed at once: so gates lie in
blocks, and each operation goes over contiguous memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rnn_conformance.reference.arithmetic.activations import GATE_ACTIVATIONS, Array

Products = Sequence[tuple[str, Array]]


class Plain:
    """The words over arrays; `weights` are those of one direction, `gates` the names of the rows of their blocks."""

    def __init__(self, weights: Mapping[str, Array], gates: Sequence[str]) -> None:
        self.weights = weights
        self.rows = Rows(weights, gates)

    def affine(self, products: Products, biases: Sequence[str] = (), gates: Sequence[str] = ()) -> Array:
        """The sum of kernels times numbers, and of those biases that there are; of some gates' rows, or of all."""
        (name, x), *others = products
        z: Array = self.rows.of(name, gates) @ x
        for name, x in others:
            z += self.rows.of(name, gates) @ x
        for name in biases:
            if name in self.weights:
                z += self.rows.of(name, gates)[:, np.newaxis]
        return z

    def split(self, z: Array, parts: int) -> list[Array]:
        """Blocks of rows of equal height: one for each gate."""
        return blocks(z, parts)

    def act(self, name: str, z: Array) -> Array:
        """The activation of that name."""
        return GATE_ACTIVATIONS[name].function(z)

    def mul(self, a: Array, b: Array) -> Array:
        """The product, element by element."""
        return a * b

    def add(self, a: Array, b: Array) -> Array:
        """The sum, element by element."""
        return a + b

    def shift(self, a: Array, by: float) -> Array:
        """The sum with a number that belongs to the equation."""
        return a + a.dtype.type(by)

    def lerp(self, z: Array, a: Array, b: Array) -> Array:
        """z a + (1 - z) b, exactly a or b where z is 1 or 0."""
        return z * a + (1 - z) * b

    # For the way back.

    def product(self, name: str, x: Array, gates: Sequence[str] = (), *, transposed: bool = False) -> Array:
        """The rows of a kernel, or its columns, times a number."""
        kernel = self.rows.of(name, gates)
        return (kernel.T if transposed else kernel) @ x

    def slope(self, name: str, y: Array) -> Array:
        """The derivative of an activation, told from its value."""
        return GATE_ACTIVATIONS[name].derivative(y)

    def difference(self, a: Array, b: Array) -> Array:
        """a - b."""
        return a - b

    def complement(self, z: Array) -> Array:
        """1 - z."""
        return 1 - z

    def total(self, each: Sequence[Array]) -> Array:
        """The sum of what comes back from several places."""
        first, *others = each
        return sum(others, first)

    def closed(self, a: Array) -> Array:
        """The same: a sum is a number."""
        return a

    def joined(self, parts: Sequence[Array]) -> Array:
        """Blocks of rows as one array."""
        return np.concatenate(parts, axis=-2)

    def nothing_like(self, a: Array) -> Array:
        """Zeros."""
        return np.zeros_like(a)

    def over_time(self, d: Array, x: Array) -> Array:
        """The sum over all timesteps and sequences of d x^T: the gradient of a kernel."""
        return np.tensordot(d, x, ((0, 2), (0, 2)))

    def sum_over_time(self, d: Array) -> Array:
        """The sum over all timesteps and sequences: the gradient of a bias."""
        return d.sum((0, 2))


class Rows:
    """The rows of weights that belong to some gates."""

    def __init__(self, weights: Mapping[str, Array], gates: Sequence[str]) -> None:
        self.weights, self.gates = weights, tuple(gates)

    def of(self, name: str, gates: Sequence[str] = ()) -> Array:
        """The rows of these gates, which stand together in the array of that name; all of them for none."""
        array = self.weights[name]
        return array[self.where(name, gates)] if gates else array

    def where(self, name: str, gates: Sequence[str]) -> slice:
        """Where these rows are. An array that has no rows for other gates is taken as a whole."""
        rows = len(self.weights[name])
        units = self.weights["U"].shape[0] // len(self.gates)
        if not gates or rows == units * len(gates):
            return slice(rows)
        first = self.gates.index(gates[0])
        return slice(first * units, (first + len(gates)) * units)


def blocks(array: Array, parts: int) -> list[Array]:
    """Equal parts of the axis of units."""
    height = array.shape[-2] // parts
    return [array[..., k * height : (k + 1) * height, :] for k in range(parts)]
