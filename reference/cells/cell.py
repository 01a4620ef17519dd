"""What a cell is: its choices, and all that follows from them but its equation.

A cell is told by a frozen object, such as `SimpleRnn(activation="relu")`, which stands in `Layer.cell`. It alone knows
its gates, its activations, the parts of its state and the arrays of its weights; who draws, counts, compares or saves
arrays asks it, and never which cell it is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Protocol

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS, GATE_ACTIVATIONS
from rnn_conformance.reference.arithmetic.words import Arithmetic, Driven, N, carry

Shape = tuple[int, ...]

ROLES = {"candidate": "activation", "gate": "recurrent_activation", "output": "output_activation"}
"""What an activation is for, and the field that names it: a cell has the first, and may have the others."""

PARTS = ("h", "c")
"""The parts that a state can have, in order: the first is what a layer puts out. A cell has the first, or both."""


class Equation(Protocol):
    """What running a cell takes: its equation, and the gates whose rows its arrays have, in order."""

    @property
    def gates(self) -> tuple[str, ...]: ...

    def project(self, on: Arithmetic[N], x: N) -> N:
        """What the inputs have to say."""

    def step(self, on: Arithmetic[N], projected: N, state: Sequence[N]) -> tuple[N, ...]:
        """The state, the output first, one timestep on."""


@dataclass(frozen=True)
class Cell:
    """What all cells have in common. `activation` is that of the candidate: of what is new at a timestep.

    `gates` are in the canonical order, in which they are stacked on the first axis of every array of the weights; the
    `candidate` is one of them.
    `choices` are the fields that can be one of a few words only. Raises ValueError for any other word.
    """

    activation: str = "tanh"

    name: ClassVar[str]
    gates: ClassVar[tuple[str, ...]]
    candidate: ClassVar[str]
    parts: ClassVar[tuple[str, ...]] = PARTS[:1]
    choices: ClassVar[Mapping[str, Collection[str]]] = {}

    def __post_init__(self) -> None:
        roles = {ROLES[role]: GATE_ACTIVATIONS if role == "gate" else ACTIVATIONS for role in self.activations}
        for name, offered in {**roles, **self.choices}.items():
            if getattr(self, name) not in offered:
                words = ", ".join(offered)
                raise ValueError(f"{name} of {self.name} is {getattr(self, name)!r}, but should be one of {words}")

    @property
    def activations(self) -> dict[str, str]:
        """The activation of each of ROLES that the cell has."""
        return {role: getattr(self, name) for role, name in ROLES.items() if hasattr(self, name)}

    def widths(self, units: int) -> dict[str, int]:
        """How many numbers each part of the state has, for one sequence."""
        return dict.fromkeys(self.parts, units)

    def reach(self, part: str) -> float:
        """How far apart two values of this part of the state can be; infinite where there is no limit."""
        return math.inf

    def shapes(self, features: int, units: int, use_bias: bool) -> dict[str, Shape]:
        """The shape of each array of one direction's weights, by its name and in order."""
        rows = len(self.gates) * units
        shapes: dict[str, Shape] = {"W": (rows, features), "U": (rows, self.widths(units)["h"])}
        return {**shapes, "b": (rows,)} if use_bias else shapes

    @property
    def words(self) -> tuple[str, ...]:
        """The activation, and every other choice by its name, such as ``tanh`` and ``reset before``."""
        others = (f.name for f in fields(self) if f.name != "activation")
        return (self.activation, *(f"{name.replace('_', ' ')} {getattr(self, name)}" for name in others))

    def __str__(self) -> str:
        """The activation, and of the other choices those that are not the usual ones."""
        usual = type(self)(self.activation)
        return ", ".join((self.activation, *(word for word in self.words if word not in usual.words)))

    # The equation, in the words of an arithmetic.

    def project(self, on: Arithmetic[N], x: N) -> N:
        """What the inputs have to say: no state is needed for it, and so it is computed for all timesteps at once."""
        return on.affine([("W", x)], ["b"])

    def drive(self, on: Arithmetic[N], projected: N, h: N) -> Driven[N]:
        """What follows from the projected inputs of a timestep and the output of the one before."""
        raise NotImplementedError(f"{type(self).__name__} has no equation")

    def show(self, on: Arithmetic[N], driven: Driven[N], h: N, hidden: Sequence[N]) -> N:
        """The output: `h` is the one before, `hidden` the other parts of the state, as they are now."""
        raise NotImplementedError(f"{type(self).__name__} has no equation")

    def step(self, on: Arithmetic[N], projected: N, state: Sequence[N]) -> tuple[N, ...]:
        """The state, the output first, one timestep on."""
        h, *hidden = state
        driven = self.drive(on, projected, h)
        carried = carry(on, driven, hidden)
        return (self.show(on, driven, h, carried), *carried)
