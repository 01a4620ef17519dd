"""JAX to TensorFlow by jax2tf, saved as a SavedModel, which is loaded again and run: the adapter of this export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from rnn_conformance.adapters.description import EXTRAS, Description
from rnn_conformance.adapters.exports.jax2tf_script import script
from rnn_conformance.adapters.exports.jax_shapes import open_shapes
from rnn_conformance.adapters.exports.kept import MANY_SIZES, Exports
from rnn_conformance.adapters.inlining import example, examples
from rnn_conformance.adapters.jax.arrays import JaxArray, Parameters, x64
from rnn_conformance.adapters.jax.scan import ScanNetwork
from rnn_conformance.adapters.jax.scan import adapter as _scan
from rnn_conformance.adapters.jax.shared import JaxAdapter
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.adapters.support import versions
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.states import State, each_state, state_shapes
from rnn_conformance.reference.model.weights import Weights

_ONE_GRADIENT = (
    "a SavedModel keeps the gradient of what jax2tf converts, but not the gradient of that: TensorFlow warns that it "
    '"will likely fail", and raises TypeError, as a tensor "is out of scope and cannot be used here"'
)

_GIVEN = ("initial_state", "lengths", "mask")
"""What a call may be given beside the inputs, in the order in which it is."""

_EXPORTS = Exports()


@cache
def _description() -> Description:
    own = _scan.describe()
    unsupported = {**own.unsupported, "double backward": _ONE_GRADIENT, "any size": MANY_SIZES}
    return replace(
        own,
        framework="JAX to SavedModel",
        versions={**own.versions, **versions("tensorflow", "tensorflow-cpu")},
        modes=("open",),
        ways=("fixed",),
        offers=tuple(feature for feature in EXTRAS if feature in own.offers and feature not in unsupported),
        unsupported=unsupported,
        conventions={
            **own.conventions,
            "load": "`variable.assign(array)`: the leaves of the parameters, in JAX's order, are variables of a "
            "`tf.Module`",
            "read": "`variable.numpy()`, of what `tf.saved_model.load` gives",
        },
        notes={
            "mixed precision": own.notes["mixed precision"],
            "training": "`variable.assign_sub(rate * gradient)`, by a `tf.GradientTape` around what was loaded",
            "open": "`polymorphic_shapes` with names for the batch and the timesteps, and None for them in the "
            "`input_signature`",
            "fixed": "a SavedModel for each shape",
            "gradients": "those of a SavedModel that keeps them: `jax2tf.convert(with_gradient=True)`, which is its "
            "default, and `tf.saved_model.SaveOptions(experimental_custom_gradients=True)`; what is only called is "
            "saved without",
            "native serialization": "the one way there is, for `native_serialization=False` is ignored: what is "
            "converted is an operation XlaCallModule, a program that TensorFlow's own XLA compiles for each shape",
        },
        example=example("exports/jax2tf_example.py"),
        examples=examples("exports/jax2tf_example.py"),
    )


class _Program:
    """A SavedModel, as it was loaded again. Networks share it, and each call puts the parameters of its network there.

    `parameters` are any of the right shapes; `specs` are those of the other arguments.
    """

    def __init__(self, function: Callable[..., Any], parameters: Parameters, specs: Any, gradients: bool) -> None:
        import jax

        from rnn_conformance.adapters.exports.jax2tf_example import saved

        with TemporaryDirectory() as folder:
            self._loaded = saved(function, parameters, specs, folder, gradients)
        self._structure = jax.tree.structure(parameters)
        self._held: Parameters = None

    def holding(self, parameters: Parameters) -> Any:
        """What was loaded, with these parameters in its variables."""
        import jax

        if parameters is not self._held:
            self._held = None
            for variable, leaf in zip(self._loaded.params, jax.tree.leaves(parameters), strict=True):
                variable.assign(np.asarray(leaf))
            self._held = parameters
        return self._loaded

    def parameters_of(self, leaves: Any) -> Parameters:
        """Arrays in the order of the variables, arranged as parameters."""
        import jax

        return jax.tree.unflatten(self._structure, leaves)

    def read(self, parameters: Parameters) -> Parameters:
        """What its variables have, once these are in them."""
        return self.parameters_of([variable.numpy() for variable in self.holding(parameters).params])

    def trained(self, parameters: Parameters, inputs: Inputs, targets: JaxArray, rate: float) -> Parameters:
        """What its variables have after a step of gradient descent on the mean squared error."""
        import tensorflow as tf

        loaded = self.holding(parameters)
        with tf.GradientTape() as tape:
            outputs, _ = loaded.f(tf.constant(inputs))
            loss = tf.reduce_mean((outputs - targets) ** 2)
        for variable, gradient in zip(loaded.params, tape.gradient(loss, list(loaded.params)), strict=True):
            variable.assign_sub(rate * gradient)
        self._held = None
        return self.parameters_of([variable.numpy() for variable in loaded.params])

    def inferred(self) -> Any:
        """What TensorFlow knows of the shapes of all that comes out, before there is any."""
        (function,) = self._loaded.f.concrete_functions
        return function.structured_outputs


class _SavedNetwork(ScanNetwork):
    """A call is that of a SavedModel: one for each set of what is given and, in the way `fixed`, for each shape.

    Gradients and steps of training are those of other ones, which were saved with gradients.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self._call = self._call_program
        self._pull = self._pull_program
        self._step = self._step_program
        self._used: _Program | None = None

    def weights(self) -> Weights:
        with x64(self._architecture.dtype):
            program = self._used or self._open(False, self._usual())
            return self.unpack(program.read(self._parameters))

    def _call_program(self, parameters: Parameters, inputs: Inputs, **given: Any) -> tuple[JaxArray, State]:
        from rnn_conformance.adapters.exports.jax2tf_example import called

        arguments = (inputs, *given.values())
        self._used = self._program(False, arguments)
        outputs, final = called(self._used.holding(parameters), arguments)
        return outputs, final

    def _pull_program(
        self, parameters: Parameters, inputs: Inputs, initial_state: State | None, masking: Any, cotangent: Any
    ) -> Any:
        from rnn_conformance.adapters.exports.jax2tf_example import pulled

        arguments = (inputs, initial_state, *masking.values())
        program = self._program(True, arguments)
        of_parameters, (of_inputs, of_state, *_) = pulled(program.holding(parameters), arguments, cotangent)
        return program.parameters_of(of_parameters), of_inputs, of_state

    def _step_program(self, parameters: Parameters, inputs: Inputs, targets: JaxArray, rate: float) -> Parameters:
        return self._program(True, (inputs, None, None, None)).trained(parameters, inputs, targets, rate)

    def _symbolic(self) -> tuple[JaxArray, State]:
        architecture = self._architecture
        sizes = (architecture.batch or "batch", architecture.timesteps or "timesteps")
        with x64(architecture.dtype):
            # Those of a call are all outputs: of the last one alone, there is the program that has gradients.
            outputs, final = self._open(not architecture.return_sequences, self._usual(), *map(str, sizes)).inferred()
        return outputs, final

    def _usual(self, state: bool = False) -> tuple[Any, ...]:
        """Inputs, perhaps an initial state, and lengths and a mask if there are any: what a model is exported with."""
        architecture = self._architecture
        dtype, masking = dtype_of(architecture.dtype), architecture.masking
        batch = (architecture.batch or 2,) if architecture.batched else ()
        sizes = (*batch, architecture.timesteps or 4)
        return (
            np.zeros(sizes, np.int32)
            if architecture.embedding
            else np.zeros((*sizes, architecture.layers[0].features), dtype),
            each_state(lambda shape: np.zeros(shape, dtype), state_shapes(architecture, batch)) if state else None,
            np.zeros(batch, np.int32) if masking == "lengths" else None,
            np.zeros(sizes, bool) if masking == "mask" else None,
        )

    def _program(self, gradients: bool, arguments: tuple[Any, ...]) -> _Program:
        """The one for such arguments, and with its gradients if these are wanted."""
        if self._architecture.mode != "fixed":
            return self._open(gradients, self._usual(arguments[1] is not None))
        import jax

        shapes = str(jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), arguments))
        return self._kept(gradients, arguments, None, shapes)

    def _open(
        self, gradients: bool, usual: tuple[Any, ...], batch: str = "batch", timesteps: str = "timesteps"
    ) -> _Program:
        given = dict(zip(_GIVEN, usual[1:], strict=True))
        shapes = open_shapes(self._architecture, given, batch, timesteps)
        return self._kept(gradients, usual, shapes, str(shapes))

    def _kept(self, gradients: bool, arguments: tuple[Any, ...], shapes: Any, key: str) -> _Program:
        """Gradients are those of what is returned; a call gives the outputs of all timesteps, of which some are cut."""
        sequences = self._architecture.return_sequences or not gradients
        architecture = replace(
            self._architecture, return_sequences=sequences, return_state=True, batch=None, timesteps=None
        )
        function = self._function if sequences else self.returned
        program: _Program = _EXPORTS.get(
            (architecture, gradients, key), lambda: self._made(function, arguments, shapes, gradients)
        )
        return program

    def _made(self, function: Callable[..., Any], arguments: tuple[Any, ...], shapes: Any, gradients: bool) -> _Program:
        import jax
        from jax import export

        def call(parameters: Parameters, inputs: Inputs, *given: Any) -> Any:
            return function(parameters, inputs, **dict(zip(_GIVEN, given, strict=True)))

        parameters = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), self._template)
        return _Program(call, parameters, export.symbolic_args_specs(arguments, shapes), gradients)


adapter = JaxAdapter({"jax": "0.4.31"}, _description, _SavedNetwork, script, ("jax", "tensorflow"))
