"""A case: one model, one input, and how to run it. Its arrays follow from its regime and seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rnn_conformance.conformance.regimes import Drawn, draw
from rnn_conformance.reference.architecture import Architecture, LayerWeights, State, Weights


@dataclass(frozen=True)
class Case:
    """Everything that is needed to run the same thing again; `str(case)` tells it in a line."""

    architecture: Architecture
    batch: int
    timesteps: int
    regime: str
    seed: int

    @cached_property
    def _drawn(self) -> Drawn:
        return draw(self.architecture, self.batch, self.timesteps, self.regime, self.seed)

    @property
    def weights(self) -> Weights:
        return self._drawn[0]

    @property
    def inputs(self) -> np.ndarray:
        """(batch, timesteps, features), or tokens (batch, timesteps); no batch axis for a single sequence."""
        return self._drawn[1]

    @property
    def initial_state(self) -> State:
        return self._drawn[2]

    def returning(self, *, sequences: bool, state: bool = False) -> Case:
        """The same case in another return mode; its arrays are the same."""
        return replace(self, architecture=replace(self.architecture, return_sequences=sequences, return_state=state))

    def next(self) -> Case:
        """The same model with other numbers."""
        return replace(self, seed=self.seed + 1)

    def __str__(self) -> str:
        return f"{self.architecture}; {self.shape_and_numbers}"

    @property
    def shape_and_numbers(self) -> str:
        return f"batch {self.batch}, timesteps {self.timesteps}, regime {self.regime}, seed {self.seed}"


def in_float64(weights: LayerWeights) -> LayerWeights:
    """The same weights, exactly, for the reference to compute with."""
    return LayerWeights(
        weights.W.astype(np.float64),
        weights.U.astype(np.float64),
        None if weights.b is None else weights.b.astype(np.float64),
    )
