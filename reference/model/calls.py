"""What a call is given beside its inputs, and what it returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.model.states import State, state_arrays
from rnn_conformance.reference.model.weights import Array, Weights

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Output:
    """What a call returns.

    `outputs` is (batch, timesteps, width) or (batch, width), without the first axis for a single sequence;
    `final_state` is there if the architecture asks for it.
    """

    outputs: Array
    final_state: State | None = None


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients with respect to the weights, the inputs and the initial state, in the shapes of these.

    `inputs` is None for a model with an embedding, whose inputs are tokens; `initial_state` is None where none was
    given.
    """

    weights: Weights
    inputs: Array | None
    initial_state: State | None

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Each array with its name, such as ``layers[0].W``, ``inputs`` or ``initial_state[0]``."""
        yield from self.weights.arrays()
        if self.inputs is not None:
            yield "inputs", self.inputs
        yield from state_arrays("initial_state", self.initial_state)
