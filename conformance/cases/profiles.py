"""How much to check: the profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DTYPES = ("float32", "float64")
FLOAT32 = ("float32",)

SIMPLE_RNN, LSTM, GRU = ("simple_rnn",), ("lstm",), ("gru",)
GATED = (*LSTM, *GRU)
"""The kinds of cells that a check is about, where it is not about all of them."""


@dataclass(frozen=True)
class Profile:
    """A budget for each check.

    `structures` counts the shapes of single layers in the lattice (see `structures_of`), `examples` the
    structures that Hypothesis draws from it, `draws` the sets of numbers for each of those. A mode that is not an
    adapter's first gets `other_examples` instead, on `other_structures`, in `other_dtypes`. `sweep` counts the floats
    on which an activation is measured. A profile that `repeats` runs each check with one seed after another, and goes
    on to other shapes only after SEEDS_OF_A_SHAPE of them: frameworks take far longer to compile than to run. One that
    is `thrifty` asks for few models: where a check would go through several ways, sizes or types that each have to be
    compiled, it takes some of them, others for another seed, and float64 only where a check says so.
    """

    name: str
    summary: str
    structures: int
    examples: int
    draws: int
    other_structures: int
    other_examples: int
    sweep: int
    other_dtypes: tuple[str, ...] = ("float32", "float64")
    repeats: bool = False
    thrifty: bool = False

    def structures_of(self, kind: str, *, main: bool = True) -> int:
        """How many structures of a kind there are, in the main mode or in another.

        Of larger models, which take longer to compile, it is one less, but for two stacks in a thrifty profile: one of
        equal widths, one of different ones.
        """
        count = self.structures if main else self.other_structures
        as_many = kind == "layer" or (kind == "stack" and self.thrifty)
        return count if as_many else max(count - 1, 1)

    def dtypes(self, asked: Mapping[str, Any]) -> Sequence[str]:
        """Those in which a check is run that is marked so: its `dtypes`, or in a thrifty profile its `thrifty`.

        Where it says nothing of that, a thrifty profile leaves float64 out, unless there is nothing else.
        """
        all_of_them: Sequence[str] = asked.get("dtypes", DTYPES)
        if not self.thrifty:
            return all_of_them
        return asked.get("thrifty", [each for each in all_of_them if each != "float64"] or all_of_them)


SEEDS_OF_A_SHAPE = 100
"""So many seeds have the shapes in common, in a profile that repeats."""

PROFILES = {
    profile.name: profile
    for profile in (
        Profile("smoke", "some minutes, in the main mode only", 2, 8, 1, 1, 1, 20_000, other_dtypes=(), thrifty=True),
        Profile("default", "before you believe it", 8, 60, 4, 2, 4, 500_000),
        Profile("thorough", "before a release", 24, 400, 8, 4, 16, 5_000_000),
        Profile("soak", "overnight: --seeds of them", 2, 4, 1, 1, 1, 20_000, other_dtypes=FLOAT32, repeats=True),
    )
}
"""Every profile by name."""
