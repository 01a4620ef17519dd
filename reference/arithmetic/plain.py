"""The plain arithmetic: an equation's words as NumPy operations on arrays, for the reference's values.

Arrays are (units, batch), with a time axis before them where all timesteps are computed at once: so gates lie in
blocks, and each operation goes over contiguous memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import accumulate, pairwise

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
        z = self.product(name, x, gates)
        for name, x in others:
            z += self.product(name, x, gates)
        for name in biases:
            if name in self.weights:
                z += self.rows.of(name, gates)[:, np.newaxis]
        return z

    def split(self, z: Array, heights: tuple[int, ...]) -> list[Array]:
        """Blocks of rows, each of so many gates."""
        return [z[..., place, :] for place in places(z.shape[-2], heights)]

    def act(self, name: str, z: Array) -> Array:
        """The activation of that name."""
        return GATE_ACTIVATIONS[name].function(z)

    def mul(self, a: Array, b: Array) -> Array:
        """The product, element by element."""
        return a * b

    def add(self, a: Array, b: Array) -> Array:
        """The sum, element by element."""
        return a + b

    def shift(self, a: Array, by: Sequence[float]) -> Array:
        """The sum with numbers that belong to the equation, one for each gate."""
        return a + for_each_gate(by, a).astype(a.dtype)

    def lerp(self, z: Array, a: Array, b: Array) -> Array:
        """z a + (1 - z) b, exactly a or b where z is 1 or 0."""
        return self.add(self.mul(z, a), self.mul(1 - z, b))

    # For the way back.

    def product(self, name: str, x: Array, gates: Sequence[str] = (), *, transposed: bool = False) -> Array:
        """The rows of a kernel, or its columns, times a number."""
        kernel = self.rows.of(name, gates)
        return times(kernel.T if transposed else kernel, x)

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

    def joined(self, parts: Mapping[int, Array], heights: tuple[int, ...]) -> Array:
        """Blocks of rows as one array, with zeros for those that are not there."""
        return joined(parts, heights)

    def over_time(self, d: Array, x: Array) -> Array:
        """The sum over all timesteps and sequences of d x^T: the gradient of a kernel."""
        return np.tensordot(d, x, ((0, 2), (0, 2)))

    def sum_over_time(self, d: Array) -> Array:
        """The sum over all timesteps and sequences: the gradient of a bias."""
        return d.sum((0, 2))


class Looped(Plain):
    """The same for a loop over timesteps: each result takes the place of that of the timestep before.

    Each timestep begins with `again`, does the words of the same equation, and leaves no number behind but copies.
    """

    def __init__(self, weights: Mapping[str, Array], gates: Sequence[str]) -> None:
        super().__init__(weights, gates)
        self._places: list[Array] = []
        self._next = 0

    def again(self) -> None:
        """The next timestep."""
        self._next = 0

    def product(self, name: str, x: Array, gates: Sequence[str] = (), *, transposed: bool = False) -> Array:
        kernel = self.rows.of(name, gates)
        return self._placed(np.dot, kernel.T if transposed else kernel, x)

    def act(self, name: str, z: Array) -> Array:
        return self._placed(GATE_ACTIVATIONS[name].function, z)

    def mul(self, a: Array, b: Array) -> Array:
        return self._placed(np.multiply, a, b)

    def add(self, a: Array, b: Array) -> Array:
        return self._placed(np.add, a, b)

    def _placed(self, operation: Callable[..., Array], *operands: Array) -> Array:
        if self._next == len(self._places):
            self._places.append(operation(*operands))
            self._next += 1
            return self._places[-1]
        place = self._places[self._next]
        self._next += 1
        return operation(*operands, out=place)


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


def times(kernel: Array, x: Array) -> Array:
    """A kernel times (units, batch), or times (timesteps, units, batch), a product for each timestep."""
    return np.dot(kernel, x) if x.ndim == 2 else kernel @ x


def by_time(array: Array) -> Array:
    """(batch, timesteps, units) as (timesteps, units, batch)."""
    return np.ascontiguousarray(array.swapaxes(0, 1)).swapaxes(1, 2)


def by_sequence(array: Array) -> Array:
    """(timesteps, units, batch) as (batch, timesteps, units)."""
    return array.transpose(2, 0, 1)


@cache
def places(rows: int, heights: tuple[int, ...]) -> list[slice]:
    """Where blocks of rows stand, one behind the other, whose heights are as these numbers."""
    height = rows // sum(heights)
    ends = list(accumulate((height * each for each in heights), initial=0))
    return [slice(*both) for both in pairwise(ends)]


def joined(parts: Mapping[int, Array], heights: tuple[int, ...]) -> Array:
    """Blocks of rows as one array, by their numbers, with zeros for those that are not there."""
    k, part = next(iter(parts.items()))
    rows = part.shape[-2] // heights[k] * sum(heights)
    whole = np.zeros((*part.shape[:-2], rows, part.shape[-1]), part.dtype)
    for k, place in enumerate(places(rows, heights)):
        if k in parts:
            whole[..., place, :] = parts[k]
    return whole


def for_each_gate(numbers: Sequence[float], like: Array) -> Array:
    """A column with each number as often as a gate has rows."""
    return np.repeat(numbers, like.shape[-2] // len(numbers))[:, np.newaxis]
