"""A case: one model, one input, and how to run it. Its arrays follow from its regime and seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from rnn_conformance.conformance.cases.drawing import Drawn, draw
from rnn_conformance.conformance.cases.memory import laid_out
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Weights


@dataclass(frozen=True, eq=False)
class Held:
    """Arrays that are given, not drawn: those of a witness, which must not depend on how numbers are drawn today.

    They stand in for what `regime` and `seed` say, and for no other numbers.
    """

    regime: str
    seed: int
    arrays: Drawn


@dataclass(frozen=True)
class Case:
    """Everything that is needed to run the same thing again; `str(case)` tells it in a line.

    What is `held` goes with the case whatever else is replaced: each array that still fits is used. It is no part of
    what tells one case from another.
    """

    architecture: Architecture
    batch: int
    timesteps: int
    regime: str
    seed: int
    pattern: str = ""
    held: Held | None = field(default=None, compare=False, repr=False)

    @cached_property
    def arrays(self) -> Drawn:
        """All of them, which lie in memory as a subject is given them; the properties below say what they are."""
        drawn = draw(self.architecture, self.batch, self.timesteps, self.regime, self.seed, self.pattern)
        if self.held is not None and (self.held.regime, self.held.seed) == (self.regime, self.seed):
            held = dict(self.held.arrays.arrays())
            drawn = Drawn.of({name: _fitting(array, held.get(name)) for name, array in drawn.arrays()})
        return replace(drawn, **{each.name: laid_out(getattr(drawn, each.name)) for each in fields(drawn)})

    @property
    def weights(self) -> Weights:
        return self.arrays.weights

    @property
    def inputs(self) -> np.ndarray:
        """(batch, timesteps, features), or tokens (batch, timesteps); no batch axis for a single sequence."""
        return self.arrays.inputs

    @property
    def initial_state(self) -> State:
        return self.arrays.initial_state

    @property
    def mask(self) -> Mask | None:
        """(batch, timesteps), True where valid, or None where every timestep is."""
        return self.arrays.mask

    @property
    def cotangent(self) -> Output:
        """What gradients are taken with; its final state is there only if the architecture returns one."""
        cotangent = self.arrays.cotangent
        return cotangent if self.architecture.return_state else replace(cotangent, final_state=None)

    @property
    def given(self) -> Mapping[str, Any]:
        """The arguments of a call by which the subject learns of the mask: `lengths`, `mask`, or none."""
        if self.mask is None or self.architecture.masking == "none":
            return {}
        if self.architecture.masking == "lengths":
            return {"lengths": self.mask.sum(-1).astype(np.int32)}
        return {"mask": self.mask}

    def returning(self, *, sequences: bool, state: bool = False) -> Case:
        """The same case in another return mode; its arrays are the same, but for the cotangents."""
        return replace(self, architecture=replace(self.architecture, return_sequences=sequences, return_state=state))

    def with_arrays(self, arrays: Drawn) -> Case:
        """The same case with these arrays."""
        return replace(self, held=Held(self.regime, self.seed, arrays))

    def fresh(self) -> Case:
        """The same case with arrays to which no call can have written."""
        return replace(self)

    def next(self) -> Case:
        """The same model with other numbers."""
        return replace(self, seed=self.seed + 1)

    def __str__(self) -> str:
        return f"{self.architecture}; {self.shape_and_numbers}"

    @property
    def shape_and_numbers(self) -> str:
        pattern = f", pattern {self.pattern}" if self.pattern else ""
        return f"batch {self.batch}, timesteps {self.timesteps}, regime {self.regime}, seed {self.seed}{pattern}"


def _fitting(drawn: np.ndarray, held: np.ndarray | None) -> np.ndarray:
    """A copy of the array that is held in the place of the one that was drawn, if it is like that; or else that."""
    alike = held is not None and (held.shape, held.dtype) == (drawn.shape, drawn.dtype)
    return held.copy() if held is not None and alike else drawn
