"""An adapter out of one function: for a layer that is a plain NumPy function, and for the suite's own tests."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.protocol import Inputs, Network
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Weights

Run = Callable[[Architecture, Weights, Inputs, "State | None"], Output]


@dataclass(frozen=True)
class FunctionAdapter:
    """An adapter whose networks call `run(architecture, weights, inputs, initial_state)`."""

    run: Run
    description: Description

    def describe(self) -> Description:
        return self.description

    def prepare(self, architecture: Architecture) -> Network:
        return _FunctionNetwork(self.run, architecture)


def from_function(run: Run, description: Description | None = None) -> FunctionAdapter:
    """Make an adapter of a function from weights, inputs and initial state to an `Output`.

    >>> from rnn_conformance.reference import network
    >>> adapter = from_function(network.run)
    >>> adapter.describe().framework
    'run'
    """
    return FunctionAdapter(run, description or Description(framework=run.__name__, versions={}))


class _FunctionNetwork:
    """Keeps the loaded weights and hands them to the function."""

    def __init__(self, run: Run, architecture: Architecture) -> None:
        self._run = run
        self._architecture = architecture
        self._weights: Weights | None = None

    def load(self, weights: Weights) -> None:
        self._weights = deepcopy(weights)  # the caller may change the arrays afterwards

    def weights(self) -> Weights:
        if self._weights is None:
            raise RuntimeError("no weights are loaded")
        return self._weights

    def run(self, inputs: Inputs, *, initial_state: State | None = None) -> Output:
        return self._run(self._architecture, self.weights(), inputs, initial_state)

    def parameter_count(self) -> int:
        return sum(array.size for _, array in self.weights().arrays())

    def symbolic_shape(self) -> tuple[int | None, ...]:
        return network.output_shape(self._architecture)
