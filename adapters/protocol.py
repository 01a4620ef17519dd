"""What an adapter is: a description of one framework, and networks that load weights and run (adapters/README.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.architecture import Architecture, Output, State, Weights
from rnn_conformance.reference.rounding import Precision, standard_precision

Inputs = NDArray[np.generic]
"""(batch, timesteps, features) floats, or (batch, timesteps) int32 tokens; no batch axis for a single sequence."""

FEATURES = (
    "no bias",
    "single sequence",
    "initial state",
    "final state",
    "stack",
    "embedding",
    "symbolic shapes",
    "parameter count",
)
"""What a description may declare unsupported, each with a reason."""


class Unsupported(Exception):
    """Raised by `Adapter.prepare` for what the framework's layer cannot do; the message says why."""


@dataclass(frozen=True)
class Description:
    """What an adapter says of its framework; every line of it is shown in the reports, and the checks hold it to it.

    `modes` names the ways to run a layer; the first gets the full number of examples, the others fewer. `precision`
    maps each dtype that the framework has to its arithmetic. `unsupported` gives a reason for each of FEATURES, for
    each dtype and for each activation that the framework lacks. `conventions` says where W, U and b live.

    Raises ValueError for a key of `unsupported` that is none of these.
    """

    framework: str
    versions: Mapping[str, str]
    modes: tuple[str, ...] = ("eager",)
    device: str = "cpu"
    precision: Mapping[str, Precision] = field(
        default_factory=lambda: {dtype: standard_precision(dtype) for dtype in ("float32", "float64")}
    )
    activations: tuple[str, ...] = ("tanh", "relu", "linear", "sigmoid")
    unsupported: Mapping[str, str] = field(default_factory=dict)
    conventions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {*FEATURES, "float32", "float64", "tanh", "relu", "linear", "sigmoid"}
        if wrong := sorted(set(self.unsupported) - known):
            raise ValueError(f"unsupported names {wrong}, but only these can be declared: {sorted(known)}")
        if not self.modes or not self.precision:
            raise ValueError("a description needs at least one mode and one dtype")


class Network(Protocol):
    """One model, built once for its architecture and used with many weights."""

    def load(self, weights: Weights) -> None:
        """Put these weights into the framework's own parameters; called any number of times."""

    def weights(self) -> Weights:
        """Read the framework's parameters back, in the canonical orientation."""

    def run(self, inputs: Inputs, *, initial_state: State | None = None) -> Output:
        """Call the framework's layers."""

    def parameter_count(self) -> int:
        """How many parameters the framework counts in this model (feature "parameter count")."""

    def symbolic_shape(self) -> tuple[int | None, ...]:
        """The output shape as the framework infers it from unknown batch and timesteps (feature "symbolic shapes")."""


class Adapter(Protocol):
    """The bridge to one framework.

    An adapter may also have `requires`, the names of the modules that it imports: where one of them is missing, the
    adapter is shown as not installed.
    """

    def describe(self) -> Description:
        """Say what the framework is and can do; the first call may import it."""

    def prepare(self, architecture: Architecture) -> Network:
        """Build the model, as the framework's users would. Raises Unsupported(reason) for what the layer cannot do."""
