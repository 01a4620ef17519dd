"""Backpropagation through time of any cell, over plain numbers or bounded ones (SPEC.md, chapter 11).

One tape holds all timesteps. The loop, from the last one, only passes on what the state carries; what is summed over
time, the gradients of the weights, follows after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from rnn_conformance.reference.arithmetic.taped import Node, Reversible, Taped, Through
from rnn_conformance.reference.arithmetic.words import N
from rnn_conformance.reference.cells.cell import Equation


@dataclass(frozen=True, eq=False)
class CameBack(Generic[N]):
    """Gradients: of kernels and biases by name, with the gates whose rows they are; of x, and of the initial state."""

    weights: list[tuple[str, tuple[str, ...], N]]
    inputs: N
    initial: tuple[N, ...]


class Passage(Generic[N]):
    """One direction of a layer, on tape. `x` is (timesteps, features, batch), `before` each part of the state likewise.

    `before` are the states from which each timestep begins. `at(number, t)` is a number at one timestep, and
    `stacked` the number that has those at each.
    """

    def __init__(
        self,
        cell: Equation,
        on: Reversible[N],
        x: N,
        before: Sequence[N],
        at: Callable[[N, int], N],
        stacked: Callable[[Sequence[N]], N],
    ) -> None:
        self.cell, self.on, self.at, self.stacked = cell, on, at, stacked
        self.front, self.steps = Taped(on), Taped(on)
        self.x = self.front.leaf(x)
        self.of_front = cell.project(self.front, self.x)
        self.projected = self.steps.leaf(self.of_front.value)
        self.before = tuple(self.steps.leaf(part) for part in before)
        self.after = cell.step(self.steps, self.projected, self.before)

    def back(self, direct: Sequence[N | None], timesteps: int) -> CameBack[N]:
        """The gradients, where `direct` says how L depends directly on each part of each state; None for not at all."""
        carried: list[list[N]] = [[] for _ in self.after]
        came = self.nothing()
        for t in reversed(range(timesteps)):
            carried = self.one_step(t, direct, carried, came)
        return self.gathered({node: self.stacked(each[::-1]) for node, each in came.items()}, carried)

    def nothing(self) -> dict[Node[N], list[N]]:
        """Each number that the gradients of weights and of x are made of, and what has come back to it: nothing yet."""
        return {node: [] for node in (*self.steps.nodes, self.projected) if node.is_affine or node is self.projected}

    def one_step(
        self, t: int, direct: Sequence[N | None], carried: Sequence[Sequence[N]], came: dict[Node[N], list[N]]
    ) -> list[list[N]]:
        """Back through timestep t: what is `carried` to the state before it, from what is to the state after.

        What comes back to a number at t is added to `came`, which begins as `nothing`.
        """
        seeds = {
            node: [*([] if d is None else [self.at(d, t)]), *more]
            for node, d, more in zip(self.after, direct, carried, strict=True)
        }
        found = self.steps.back(seeds, lambda number: self.at(number, t))
        for node, each in came.items():
            each.append(self.on.closed(found[node]))
        return [[found[node]] if node in found else [] for node in self.before]

    def gathered(self, came: dict[Node[N], N], carried: Sequence[Sequence[N]]) -> CameBack[N]:
        """The gradients, from what came back at all timesteps and what is carried to the initial state."""
        weights, inputs = self._after_the_loop(came)
        return CameBack(weights, inputs, tuple(self.on.total(part) for part in carried))

    def truncated(self, direct: Sequence[N | None]) -> CameBack[N]:
        """The same for a layer that takes every state for the last one: nothing is carried from one to another."""
        seeds = {node: [d] for node, d in zip(self.after, direct, strict=True) if d is not None}
        found = self.steps.back(seeds, lambda number: number)
        weights, inputs = self._after_the_loop({node: self.on.closed(d) for node, d in found.items()})
        initial = tuple(self.at(self.on.closed(found[node]), 0) for node in self.before if node in found)
        return CameBack(weights, inputs, initial)

    def _after_the_loop(self, d: dict[Node[N], N]) -> tuple[list[tuple[str, tuple[str, ...], N]], N]:
        found = self.front.back({self.of_front: [d[self.projected]]}, lambda number: number)
        weights = []
        for node, came in {**d, **found}.items():
            if not node.is_affine:
                continue
            came = self.on.closed(came)
            weights += [
                (edge.name, node.gates, self.on.over_time(came, edge.source.value))
                for edge in node.of
                if isinstance(edge, Through)
            ]
            weights += [(name, node.gates, self.on.sum_over_time(came)) for name in node.biases]
        return weights, found[self.x]
