"""What an adapter is: a description of one framework, and networks that load weights and run (adapters/README.md)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.description import Description
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State, StateShapes
from rnn_conformance.reference.model.weights import Weights

Inputs = NDArray[np.generic]
"""(batch, timesteps, features) floats, or (batch, timesteps) int32 tokens; no batch axis for a single sequence."""

Lengths = NDArray[np.int32]
"""(batch,): how many timesteps of each sequence are valid."""


class Unsupported(Exception):
    """Raised by `Adapter.prepare` for what the framework's layer cannot do; the message says why."""


class Network(Protocol):
    """One model, built once for its architecture and used with many weights: what every adapter has to give.

    `parameter_count` and `symbolic_shape` are called only where that feature is not declared unsupported.
    """

    def load(self, weights: Weights) -> None:
        """Put these weights into the framework's own parameters; called any number of times."""

    def weights(self) -> Weights:
        """Read the framework's parameters back, in the canonical orientation."""

    def run(self, inputs: Inputs, *, initial_state: State | None = None) -> Output:
        """Call the framework's layers."""

    def parameter_count(self) -> int:
        """How many parameters the framework counts in this model (feature "parameter count")."""

    def symbolic_shape(self) -> tuple[int | None, ...]:
        """The output shape as the framework infers it from the batch and the timesteps of the architecture.

        What is None there is unknown, and None here (feature "symbolic shapes").
        """


class WholeNetwork(Network, Protocol):
    """A network with all that EXTRAS stand for; each method is called only where the adapter offers its feature."""

    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        """The same; with lengths or a mask only if the architecture's `masking` says so ("lengths", "mask")."""

    def symbolic_state_shapes(self) -> StateShapes:
        """The shapes of the final states, inferred likewise and nested like a State ("symbolic state shapes")."""

    def gradients(
        self,
        inputs: Inputs,
        cotangent: Output,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Gradients:
        """The framework's own gradient of sum(outputs * cotangent.outputs), plus the same of the final states.

        `cotangent.final_state` is there if the architecture returns states (feature "gradients").
        """

    def second_gradient(self, inputs: Inputs, cotangent: Output) -> NDArray[np.floating]:
        """The framework's own gradient with respect to the inputs of half the squared norm of their gradient.

        This is the gradient of sum(outputs * cotangent.outputs) (feature "double backward").
        """

    def reset(self) -> None:
        """Reset the state of a stateful model (feature "stateful")."""

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        """One step of the framework's own gradient descent, at this rate, on the mean squared error to the targets.

        The mean is over all elements of the outputs (feature "training step").
        """

    def run_training(self, inputs: Inputs, seed: int) -> Output:
        """A call in training mode, its random numbers from this seed (features "dropout", "recurrent dropout")."""


class Adapter(Protocol):
    """The bridge to one framework.

    An adapter may also have `requires`, the names of the modules that it imports: where one of them is missing, the
    adapter is shown as not installed. And `packages`, the names of the packages of its own as they are installed, each
    with the oldest version that the adapter works with: what `rnn-conformance sweep` goes through.

    And it may have a method `script(architecture, wants) -> str`, with `wants` either "outputs" or "gradients": source
    that imports the framework and runs this model with it alone, for a bug report. It reads what it needs of the
    variables `layers` (for each layer a dict of its arrays by name, of which b may be None, and backward, None or
    another such dict), `table`, `inputs`, `initial_state` (None or, for each layer, a tuple with the state of each
    direction: an array or, where a state has several parts, a tuple of them), `lengths`, `mask` and `cotangent` (a dict
    of outputs and final_state): NumPy arrays, of ml_dtypes for bfloat16. That of a stateful model may read `earlier`, a
    list of the inputs of the calls before, and make these. It sets `outputs` and, if the architecture returns states,
    `final_state`, nested likewise; or `gradients`, a dict by the names of `Gradients.arrays()`.
    """

    def describe(self) -> Description:
        """Say what the framework is and can do; the first call may import it."""

    def prepare(self, architecture: Architecture) -> Network:
        """Build the model, as the framework's users would. Raises Unsupported(reason) for what the layer cannot do."""
