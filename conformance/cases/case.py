"""A case: one model, one input, and how to run it. Its arrays follow from its regime and seed."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from rnn_conformance.conformance.cases.drawing import Drawn, draw
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import LayerWeights, Weights


@dataclass(frozen=True)
class Case:
    """Everything that is needed to run the same thing again; `str(case)` tells it in a line."""

    architecture: Architecture
    batch: int
    timesteps: int
    regime: str
    seed: int
    pattern: str = ""

    @cached_property
    def arrays(self) -> Drawn:
        """All of them; the properties below say what they are."""
        if self._given is not None:
            return deepcopy(self._given)
        return draw(self.architecture, self.batch, self.timesteps, self.regime, self.seed, self.pattern)

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
        other = replace(self, architecture=replace(self.architecture, return_sequences=sequences, return_state=state))
        if self._given is None:
            return other
        return other.with_arrays(replace(self._given, cotangent=other.arrays.cotangent))

    def with_arrays(self, arrays: Drawn) -> Case:
        """The same case with these arrays: those of a witness, which must not depend on how numbers are drawn today."""
        other = replace(self)
        other.__dict__["_given"] = arrays  # beside the fields: it is no part of what tells one case from another
        return other

    def fresh(self) -> Case:
        """The same case with arrays to which no call can have written."""
        return replace(self) if self._given is None else self.with_arrays(self._given)

    @property
    def _given(self) -> Drawn | None:
        return self.__dict__.get("_given")

    def next(self) -> Case:
        """The same model with other numbers."""
        return replace(self, seed=self.seed + 1)

    def __str__(self) -> str:
        return f"{self.architecture}; {self.shape_and_numbers}"

    @property
    def shape_and_numbers(self) -> str:
        pattern = f", pattern {self.pattern}" if self.pattern else ""
        return f"batch {self.batch}, timesteps {self.timesteps}, regime {self.regime}, seed {self.seed}{pattern}"


def in_float64(weights: LayerWeights) -> LayerWeights:
    """The same weights, exactly, for the reference to compute with."""
    return LayerWeights(
        weights.W.astype(np.float64),
        weights.U.astype(np.float64),
        None if weights.b is None else weights.b.astype(np.float64),
        None if weights.backward is None else in_float64(weights.backward),
    )
