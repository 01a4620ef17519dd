"""The network that the adapters on JAX share: a model as a function of its parameters, as it is or through jax.jit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.jax.arrays import JaxArray, Parameters, in_numpy, x64
from rnn_conformance.adapters.jax.model import Call, last_output, over_batch
from rnn_conformance.adapters.protocol import Inputs, Lengths, Unsupported
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State, StateShapes, each_state, state_shapes
from rnn_conformance.reference.model.weights import Weights

CLOSED_OVER = "closed-over"
"""The way in which a function that is compiled closes over its parameters; each load makes another one."""

_COMPILED: WeakValueDictionary[tuple[type, str, Architecture], Any] = WeakValueDictionary()
"""What jax.jit made, for as long as a network uses it: return modes differ in a slice, and compiling takes long."""


class JaxNetwork:
    """A model as a function `call` of its parameters, which gives all outputs and the final state.

    `template` has the shapes of the parameters. A subclass says how `pack` arranges weights as parameters, how `unpack`
    finds them there, and what a `step` of training is.
    """

    def __init__(self, architecture: Architecture, call: Call, template: Parameters) -> None:
        self._architecture = architecture
        self._function = over_batch(call) if architecture.mode == "vmapped" else call
        everything = replace(architecture, return_sequences=True, masking="none")
        self._call = self._compiled("call", everything, self._function)
        self._pull = self._compiled("gradients", architecture, self._pull_back)
        self._step = self._compiled("step", architecture, self.step)
        self._template = template
        self._parameters: Parameters = None

    def pack(self, weights: Weights) -> Parameters:
        raise NotImplementedError

    def unpack(self, parameters: Parameters) -> Weights:
        raise NotImplementedError

    def step(self, parameters: Parameters, inputs: Inputs, targets: JaxArray, rate: float) -> Parameters:
        """The parameters after a step of gradient descent on the mean squared error."""
        raise NotImplementedError

    def load(self, weights: Weights) -> None:
        import jax

        with x64(self._architecture.dtype):
            # Copied first, for JAX may share memory with a NumPy array (device_put, even with may_alias=False) or read
            # it after the call has returned (numpy.array, of a large one), while the caller writes to it (jax 0.10.2).
            self._parameters = jax.tree.map(lambda array: jax.numpy.array(np.array(array)), self.pack(weights))
        if self._architecture.mode == CLOSED_OVER:
            self._close_over(self._parameters)

    def weights(self) -> Weights:
        return self.unpack(self._parameters)

    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        architecture = self._architecture
        with x64(architecture.dtype):
            outputs, final = self._call(
                self._parameters, inputs, initial_state=initial_state, lengths=lengths, mask=mask
            )
            outputs, final = np.asarray(outputs), in_numpy(final)
            if not architecture.return_sequences:
                outputs = np.asarray(last_output(architecture, outputs, final))
        return Output(outputs, final if architecture.return_state else None)

    def gradients(
        self,
        inputs: Inputs,
        cotangent: Output,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Gradients:
        architecture = self._architecture
        if architecture.mode == CLOSED_OVER:
            raise Unsupported("to a function that closes over its parameters, these are constants")
        final = cotangent.final_state or _zero_states(architecture, inputs)
        masking = {"lengths": lengths, "mask": mask}
        with x64(architecture.dtype):
            of_parameters, of_inputs, of_state = self._pull(
                self._parameters, inputs, initial_state, masking, (cotangent.outputs, final)
            )
            return Gradients(
                self.unpack(of_parameters),
                None if of_inputs is None else np.asarray(of_inputs),
                None if of_state is None else in_numpy(of_state),
            )

    def second_gradient(self, inputs: Inputs, cotangent: Output) -> NDArray[np.floating]:
        """jax.grad of what jax.vjp gave."""
        import jax

        def half_squared_norm(numbers: JaxArray) -> JaxArray:
            _, pull = jax.vjp(lambda x: self.returned(self._parameters, x)[0], numbers)
            (first,) = pull(cotangent.outputs)
            return (first * first).sum() / 2

        with x64(self._architecture.dtype):
            return np.asarray(jax.grad(half_squared_norm)(inputs))

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        with x64(self._architecture.dtype):
            self._parameters = self._step(self._parameters, inputs, targets, rate)

    def returned(self, parameters: Parameters, inputs: Inputs, **given: Any) -> tuple[JaxArray, State]:
        """The outputs that the architecture returns, as a function to differentiate, and the final state."""
        given = {"initial_state": None, "lengths": None, "mask": None, **given}
        outputs, final = self._function(parameters, inputs, **given)
        if not self._architecture.return_sequences:
            outputs = last_output(self._architecture, outputs, final)
        return outputs, final

    def parameter_count(self) -> int:
        import jax

        return sum(leaf.size for leaf in jax.tree.leaves(self._template))

    def symbolic_shape(self) -> tuple[int | None, ...]:
        """The shape that jax.eval_shape infers where batch and timesteps are symbols of jax.export, if not known."""
        outputs, _ = self._symbolic()
        return _known(outputs)

    def symbolic_state_shapes(self) -> StateShapes:
        """Those of the final states, inferred likewise."""
        _, final = self._symbolic()
        return each_state(_known, final)

    def _symbolic(self) -> tuple[JaxArray, State]:
        import jax
        from jax import export

        architecture = self._architecture
        known = (architecture.batch, architecture.timesteps)[not architecture.batched :]
        symbols = export.symbolic_shape("batch, timesteps" if architecture.batched else "timesteps")
        shape = tuple(symbol if size is None else size for symbol, size in zip(symbols, known, strict=True))
        struct: Any = jax.ShapeDtypeStruct
        given = {
            "lengths": struct(shape[:-1], "int32") if architecture.masking == "lengths" else None,
            "mask": struct(shape, "bool") if architecture.masking == "mask" else None,
        }
        with x64(architecture.dtype):
            inputs = (
                struct(shape, "int32")
                if architecture.embedding
                else struct((*shape, architecture.layers[0].features), dtype_of(architecture.dtype))
            )
            return jax.eval_shape(self.returned, self._template, inputs, **given)

    def _close_over(self, parameters: Parameters) -> None:
        """Make the call another one, which jax.jit makes of a function of all but these parameters."""
        import jax

        closed = jax.jit(partial(self._function, parameters))
        self._call = lambda _, inputs, **given: closed(inputs, **given)

    def _pull_back(
        self, parameters: Parameters, inputs: Inputs, initial_state: State | None, masking: Any, cotangent: Any
    ) -> Any:
        """The gradients of parameters, inputs (None for tokens) and initial state (None for none)."""
        import jax

        def returned(parameters: Parameters, numbers: JaxArray, initial_state: State | None) -> tuple[JaxArray, State]:
            given = inputs if numbers is None else numbers
            return self.returned(parameters, given, initial_state=initial_state, **masking)

        numbers = None if self._architecture.embedding else inputs
        _, pull = jax.vjp(returned, parameters, numbers, initial_state)
        return pull(cotangent)

    def _compiled(self, what: str, architecture: Architecture, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself in eager mode, and else what jax.jit makes of it, which networks share."""
        import jax

        if architecture.mode == "eager":
            return function
        shared = replace(architecture, return_state=True, batch=None, timesteps=None)
        compiled: Callable[..., Any] = _COMPILED.setdefault((type(self), what, shared), jax.jit(function))
        return compiled


def _zero_states(architecture: Architecture, inputs: Inputs) -> State:
    """The cotangent of final states that play no part."""
    shapes: Any = state_shapes(architecture, inputs.shape[: architecture.batched])
    return each_state(lambda shape: np.zeros(shape, dtype_of(architecture.dtype)), shapes)


def _known(struct: Any) -> tuple[int | None, ...]:
    """A shape with None for each symbol."""
    return tuple(size if isinstance(size, int) else None for size in struct.shape)
