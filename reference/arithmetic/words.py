"""The words in which a cell writes its equation, whatever a number is.

It may be an array, an array with its error, or a node of a tape. Numbers are (units, batch), with a time axis before
them where all timesteps are computed at once. An *arithmetic* gives the words their meaning; BOUNDS.md proves what the
bounded one says of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

N = TypeVar("N")


class Arithmetic(Protocol[N]):
    """What an equation may ask for."""

    def affine(self, products: Sequence[tuple[str, N]], biases: Sequence[str] = (), gates: Sequence[str] = ()) -> N:
        """The sum of kernels, by name, times numbers, and of those biases that there are.

        With `gates`, only their rows, which stand together; an array that has rows for no others is taken as a whole.
        """

    def split(self, z: N, heights: tuple[int, ...]) -> Sequence[N]:
        """Blocks of rows, each of so many gates."""

    def act(self, name: str, z: N) -> N:
        """The activation of that name."""

    def mul(self, a: N, b: N) -> N:
        """The product, element by element."""

    def add(self, a: N, b: N) -> N:
        """The sum, element by element."""

    def shift(self, a: N, by: Sequence[float]) -> N:
        """The sum with numbers that belong to the equation, one for each gate."""

    def lerp(self, z: N, a: N, b: N) -> N:
        """z a + (1 - z) b, in whichever of its usual forms."""


@dataclass(frozen=True)
class Driven(Generic[N]):
    """What follows at one timestep from x and h, whatever the part of the state is that is not put out.

    That part, if the cell has one, becomes `keep` times what it was plus `new`. `rest` is what the output needs beside.
    """

    rest: tuple[N, ...]
    keep: N | None = None
    new: N | None = None


def carry(on: Arithmetic[N], driven: Driven[N], hidden: Sequence[N]) -> tuple[N, ...]:
    """The parts of the state that are not put out, one timestep on."""
    if driven.keep is None or driven.new is None:
        return ()
    (c,) = hidden
    return (on.add(on.mul(driven.keep, c), driven.new),)
