"""What an adapter is: a description of one framework, and networks that load weights and run (adapters/README.md)."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.rounding import Precision, standard_precision
from rnn_conformance.reference.model.architecture import Architecture, Choices, Gradients, Mask, Output, State, Weights

Inputs = NDArray[np.generic]
"""(batch, timesteps, features) floats, or (batch, timesteps) int32 tokens; no batch axis for a single sequence."""

Lengths = NDArray[np.int32]
"""(batch,): how many timesteps of each sequence are valid."""

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
"""What every adapter is taken to offer, unless its description says that it does not, with a reason."""

EXTRAS = (
    "symbolic state shapes",
    "lengths",
    "mask",
    "mask_zero",
    "backward",
    "bidirectional",
    "merge modes",
    "stateful",
    "gradients",
    "double backward",
    "training step",
    "dropout",
    "recurrent dropout",
    "mixed precision",
)
"""What an adapter offers only if its description says so, in `offers`; a reason in `unsupported` says why not."""

DTYPES = ("float16", "bfloat16", "float32", "float64")

CONVENTIONS = {
    "W": "where the input kernel is kept, and its shape there",
    "U": "where the recurrent kernel is kept, and its shape there",
    "b": "where the bias is kept, and its shape there",
    "orientation": "whether W and U are kept `as they are` in SPEC.md, or `transposed`",
    "biases": "how many biases a layer has, and what becomes of those beside b",
    "load": "the call that puts arrays into the parameters",
    "read": "the call that gets them out",
    "time axis": "which axis of inputs and outputs is time",
    "state": "the shape of initial and final states",
    "padding": "how a call is told which timesteps are valid",
    "backward": "how a layer is made to run from the end",
    "both directions": "where a bidirectional layer keeps its two sets of weights",
    "embedding": "where the table is kept, and its shape there",
}
"""The conventions that an adapter can declare, with what each of them says."""

EXAMPLE_SETS = ("outputs", "W_read", "U_read", "b_read")
"""The variables that `Description.example` leaves behind."""


class Unsupported(Exception):
    """Raised by `Adapter.prepare` for what the framework's layer cannot do; the message says why."""


@dataclass(frozen=True)
class Description:
    """What an adapter says of its framework; every line of it is shown in the reports, and the checks hold it to it.

    `modes` names the ways to run a layer; the first gets the full number of examples, the others fewer. `ways` names
    further ones, which are tried where features are crossed (chapter 12) and nowhere else. `precision` maps each dtype
    that the framework has to its arithmetic. `offers` lists those of EXTRAS that there are; `unsupported` gives a
    reason for each of FEATURES and EXTRAS, for each dtype and for each activation that the framework lacks. `choices`
    says what it does where the specification leaves a choice.

    The weight-convention atlas is made of `conventions`, which says by the names of CONVENTIONS, in words, where W, U
    and b live; of `notes`, which says by any name what else there is to know; and of `example`, a script such as a user
    would write. That reads the float32 arrays `W` (units, features), `U` (units, units), `b` (units,) and `x` (batch,
    timesteps, features), loads a tanh layer of the framework with them, runs it to `outputs` (batch, timesteps, units),
    and reads the weights back as `W_read`, `U_read` and `b_read`. In words, `code` stands between backticks.

    Raises ValueError for a key that is none of these, for a feature both offered and unsupported, and for an example
    that is no Python or leaves one of its variables unset.
    """

    framework: str
    versions: Mapping[str, str]
    modes: tuple[str, ...] = ("eager",)
    ways: tuple[str, ...] = ()
    device: str = "cpu"
    precision: Mapping[str, Precision] = field(
        default_factory=lambda: {dtype: standard_precision(dtype) for dtype in ("float32", "float64")}
    )
    activations: tuple[str, ...] = ("tanh", "relu", "linear", "sigmoid")
    offers: tuple[str, ...] = ()
    unsupported: Mapping[str, str] = field(default_factory=dict)
    choices: Choices = Choices()
    conventions: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    example: str = ""

    def __post_init__(self) -> None:
        known = {*FEATURES, *EXTRAS, *DTYPES, *ACTIVATIONS}
        if wrong := sorted(set(self.unsupported) - known):
            raise ValueError(f"unsupported names {wrong}, but only these can be declared: {sorted(known)}")
        if wrong := sorted(set(self.offers) - set(EXTRAS)):
            raise ValueError(f"offers names {wrong}, but only these can be offered: {', '.join(EXTRAS)}")
        if both := sorted(set(self.offers) & set(self.unsupported)):
            raise ValueError(f"{', '.join(both)}: both offered and unsupported")
        if not self.modes or not self.precision:
            raise ValueError("a description needs at least one mode and one dtype")
        if wrong := sorted(set(self.conventions) - set(CONVENTIONS)):
            raise ValueError(
                f"conventions names {wrong}, but the conventions are {', '.join(CONVENTIONS)}; "
                "what else there is to say stands in notes"
            )
        if self.example:
            _check_example(self.example)

    def lacks(self, feature: str) -> str:
        """Why there is no such feature, dtype or activation; empty if there is."""
        if reason := self.unsupported.get(feature):
            return reason
        if (
            (feature in EXTRAS and feature not in self.offers)
            or (feature in DTYPES and feature not in self.precision)
            or (feature in ACTIVATIONS and feature not in self.activations)
        ):
            return f"the adapter does not offer {feature}"
        return ""


@cache  # an adapter may be asked for its description often
def _check_example(example: str) -> None:
    try:
        tree = ast.parse(example)
    except SyntaxError as error:
        raise ValueError(f"example is no Python: line {error.lineno}: {error.msg}") from None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if unset := [name for name in EXAMPLE_SETS if name not in names]:
        raise ValueError(f"example should set {', '.join(EXAMPLE_SETS)}, but does not set {', '.join(unset)}")


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
        """The output shape as the framework infers it from unknown batch and timesteps (feature "symbolic shapes")."""


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

    def symbolic_state_shapes(self) -> tuple[tuple[tuple[int | None, ...], ...], ...]:
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
    adapter is shown as not installed.

    And it may have a method `script(architecture, wants) -> str`, with `wants` either "outputs" or "gradients": source
    that imports the framework and runs this model with it alone, for a bug report. It reads what it needs of the
    variables `layers` (for each layer a dict of W, U, b, which may be None, and backward, None or another such dict),
    `table`, `inputs`, `initial_state` (None or, for each layer, a tuple of arrays), `lengths`, `mask` and `cotangent`
    (a dict of outputs and final_state): NumPy arrays, of ml_dtypes for bfloat16. It sets `outputs` and, if the
    architecture returns states, `final_state`, nested likewise; or `gradients`, a dict by the names of
    `Gradients.arrays()`.
    """

    def describe(self) -> Description:
        """Say what the framework is and can do; the first call may import it."""

    def prepare(self, architecture: Architecture) -> Network:
        """Build the model, as the framework's users would. Raises Unsupported(reason) for what the layer cannot do."""
