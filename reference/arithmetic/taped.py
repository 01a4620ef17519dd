"""The taped arithmetic: the words over plain or bounded numbers, with a way back to what they were made of.

A tape is written once for all timesteps. It is read backwards for one of them, in backpropagation through time, or for
all at once; what comes back is computed in the words of the arithmetic below, and so has bounds if that has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from rnn_conformance.reference.arithmetic.words import Arithmetic

N = TypeVar("N")


class Reversible(Arithmetic[N], Protocol[N]):
    """What the way back asks for beside the words."""

    def product(self, name: str, x: N, gates: Sequence[str] = (), *, transposed: bool = False) -> N:
        """The rows of a kernel, or its columns, times a number."""

    def slope(self, name: str, y: N) -> N:
        """The derivative of an activation, told from its value."""

    def difference(self, a: N, b: N) -> N:
        """a - b."""

    def complement(self, z: N) -> N:
        """1 - z."""

    def total(self, each: Sequence[N]) -> N:
        """The sum of what comes back from several places, still open."""

    def closed(self, a: N) -> N:
        """A sum to which nothing is added any more."""

    def joined(self, parts: Mapping[int, N], heights: tuple[int, ...]) -> N:
        """Blocks of rows as one number, with zeros for those that are not there: the inverse of `split`."""

    def over_time(self, d: N, x: N) -> N:
        """The sum over all timesteps and sequences of d x^T: the gradient of a kernel."""

    def sum_over_time(self, d: N) -> N:
        """The sum over all timesteps and sequences: the gradient of a bias."""


@dataclass(frozen=True, eq=False)
class Scaled(Generic[N]):
    """Came from an element of `source` times a factor; None for 1."""

    source: Node[N]
    factor: N | None = None


@dataclass(frozen=True, eq=False)
class Through(Generic[N]):
    """Came from `source` through the rows of a kernel."""

    source: Node[N]
    name: str


@dataclass(frozen=True, eq=False)
class Node(Generic[N]):
    """A number and where it came from; `gates` and `biases` are those of an affine one, `part` of which block it is."""

    value: N
    of: tuple[Scaled[N] | Through[N], ...] = ()
    gates: tuple[str, ...] = ()
    biases: tuple[str, ...] = ()
    part: int | None = None

    @property
    def is_affine(self) -> bool:
        return bool(self.biases) or any(isinstance(edge, Through) for edge in self.of)


Back = Mapping[Node[N], list[N]]
"""What has come back to each node, from one place or several."""


class Taped(Generic[N]):
    """The words over nodes; `on` is the arithmetic of their values."""

    def __init__(self, on: Reversible[N]) -> None:
        self.on = on
        self.nodes: list[Node[N]] = []
        self._heights: dict[Node[N], tuple[int, ...]] = {}

    def leaf(self, value: N) -> Node[N]:
        """A number that comes from elsewhere."""
        return self._note(Node(value))

    def affine(
        self, products: Sequence[tuple[str, Node[N]]], biases: Sequence[str] = (), gates: Sequence[str] = ()
    ) -> Node[N]:
        """A sum of kernels times numbers, and of biases."""
        value = self.on.affine([(name, x.value) for name, x in products], biases, gates)
        return self._note(Node(value, tuple(Through(x, name) for name, x in products), tuple(gates), tuple(biases)))

    def split(self, z: Node[N], heights: tuple[int, ...]) -> list[Node[N]]:
        """Blocks of rows, each of so many gates."""
        self._heights[z] = heights
        values = self.on.split(z.value, heights)
        return [self._note(Node(value, (Scaled(z),), part=k)) for k, value in enumerate(values)]

    def act(self, name: str, z: Node[N]) -> Node[N]:
        """An activation."""
        y = self.on.act(name, z.value)
        return self._note(Node(y, (Scaled(z, self.on.slope(name, y)),)))

    def mul(self, a: Node[N], b: Node[N]) -> Node[N]:
        """A product, element by element."""
        return self._note(Node(self.on.mul(a.value, b.value), (Scaled(a, b.value), Scaled(b, a.value))))

    def add(self, a: Node[N], b: Node[N]) -> Node[N]:
        """A sum, element by element."""
        return self._note(Node(self.on.add(a.value, b.value), (Scaled(a), Scaled(b))))

    def shift(self, a: Node[N], by: Sequence[float]) -> Node[N]:
        """The sum with numbers that belong to the equation, one for each gate."""
        return self._note(Node(self.on.shift(a.value, by), (Scaled(a),)))

    def lerp(self, z: Node[N], a: Node[N], b: Node[N]) -> Node[N]:
        """z a + (1 - z) b."""
        of = (
            Scaled(z, self.on.difference(a.value, b.value)),
            Scaled(a, z.value),
            Scaled(b, self.on.complement(z.value)),
        )
        return self._note(Node(self.on.lerp(z.value, a.value, b.value), of))

    def back(self, seeds: Back[N], at: Callable[[N], N]) -> dict[Node[N], N]:
        """The cotangent of each node that the seeds depend on; those of leaves are sums that are still open.

        `at` picks from what is on the tape what belongs to the seeds: one timestep, or all.
        """
        came: defaultdict[Node[N], list[N]] = defaultdict(list)
        for node, each in seeds.items():
            came[node] += each
        blocks: defaultdict[Node[N], dict[int, N]] = defaultdict(dict)
        found: dict[Node[N], N] = {}
        for node in reversed(self.nodes):
            if node in blocks:
                came[node].append(self.on.joined(blocks[node], self._heights[node]))
            if not came[node]:
                continue
            d = self.on.total(came[node])
            found[node] = d = self.on.closed(d) if node.of else d
            for edge in node.of:
                if isinstance(edge, Through):
                    came[edge.source].append(self.on.product(edge.name, d, node.gates, transposed=True))
                elif node.part is not None:
                    blocks[edge.source][node.part] = d
                else:
                    came[edge.source].append(d if edge.factor is None else self.on.mul(d, at(edge.factor)))
        return found

    def _note(self, node: Node[N]) -> Node[N]:
        self.nodes.append(node)
        return node
