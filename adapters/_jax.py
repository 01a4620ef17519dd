"""What the adapters on JAX share: precision, 64-bit mode, and a model as a function of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from rnn_conformance.adapters.protocol import Description, Inputs, Network
from rnn_conformance.adapters.support import refuse_unsupported
from rnn_conformance.reference.architecture import Architecture, Output, State, Weights
from rnn_conformance.reference.rounding import standard_precision

Parameters = Any
"""A pytree of arrays."""

Call = Callable[[Architecture, Parameters, Inputs, Any], Any]
"""From architecture, parameters, inputs and initial state (or None) to outputs and final state (or None)."""

# Measured on x86-64 with AVX-512, jax 0.10.2: XLA's tanh in float64 is wrong by up to 9.4 ULP (at x = 15.904, in 2e9
# numbers between 0 and 25, most of them between 10 and 20, against np.tanh in np.longdouble). In float32 it is within
# 4.9 ULP at every number between 1e-4 and 25; sigmoid is within 2.7 ULP in both.
PRECISION = {"float32": standard_precision("float32"), "float64": standard_precision("float64", tanh=11)}


def x64(dtype: str) -> AbstractContextManager[Any]:
    """JAX's 64-bit types for float64 alone, so that float32 is computed as JAX's users compute it."""
    import jax

    return jax.enable_x64(True) if dtype == "float64" else nullcontext()


@dataclass(frozen=True)
class JaxAdapter:
    """An adapter on JAX: its description, and its kind of network."""

    requires: tuple[str, ...]
    description: Callable[[], Description]
    network: Callable[[Architecture], Network]

    def describe(self) -> Description:
        return self.description()

    def prepare(self, architecture: Architecture) -> Network:
        refuse_unsupported(self.description(), architecture)
        with x64(architecture.dtype):
            return self.network(architecture)


_COMPILED: WeakValueDictionary[tuple[type, Architecture], Any] = WeakValueDictionary()
"""What jax.jit made, for as long as a network uses it: return modes differ in a slice, and compiling takes long."""


class JaxNetwork:
    """A model as a function `call(architecture, parameters, inputs, initial_state)`, as it is or through jax.jit.

    `template` has the shapes of the parameters. A subclass says how `pack` arranges weights as parameters and how
    `unpack` finds them there.
    """

    def __init__(self, architecture: Architecture, call: Call, template: Parameters) -> None:
        import jax

        self._architecture = architecture
        self._function: Callable[..., Any] = partial(call, architecture)
        self._call: Callable[..., Any] = self._function
        if architecture.mode == "compiled":
            everything = replace(architecture, return_sequences=True, return_state=True)
            self._call = _COMPILED.setdefault((type(self), everything), jax.jit(partial(call, everything)))
        self._template = template
        self._parameters: Parameters = None

    def pack(self, weights: Weights) -> Parameters:
        raise NotImplementedError

    def unpack(self, parameters: Parameters) -> Weights:
        raise NotImplementedError

    def load(self, weights: Weights) -> None:
        import jax

        with x64(self._architecture.dtype):
            # Not device_put: its result shares memory with a NumPy array, even with may_alias=False (jax 0.10.2).
            self._parameters = jax.tree.map(jax.numpy.array, self.pack(weights))

    def weights(self) -> Weights:
        return self.unpack(self._parameters)

    def run(self, inputs: Inputs, *, initial_state: State | None = None) -> Output:
        with x64(self._architecture.dtype):
            outputs, final = self._call(self._parameters, inputs, initial_state)
            outputs = np.asarray(outputs)
        if self._architecture.mode == "compiled" and not self._architecture.return_sequences:
            outputs = outputs[..., -1, :]
        if not self._architecture.return_state or final is None:
            return Output(outputs)
        return Output(outputs, tuple((np.asarray(h),) for (h,) in final))

    def parameter_count(self) -> int:
        import jax

        return sum(leaf.size for leaf in jax.tree.leaves(self._template))

    def symbolic_shape(self) -> tuple[int | None, ...]:
        """The shape that jax.eval_shape infers where batch and timesteps are symbols of jax.export."""
        import jax
        from jax import export

        architecture = self._architecture
        shape = export.symbolic_shape("batch, timesteps" if architecture.batched else "timesteps")
        struct: Any = jax.ShapeDtypeStruct
        with x64(architecture.dtype):
            inputs = (
                struct(shape, "int32")
                if architecture.embedding
                else struct((*shape, architecture.layers[0].features), architecture.dtype)
            )
            outputs, _ = jax.eval_shape(self._function, self._template, inputs, None)
        return tuple(size if isinstance(size, int) else None for size in outputs.shape)


def apply_layers(
    architecture: Architecture,
    embed: Callable[[Any], Any] | None,
    layers: Sequence[Callable[..., Any]],
    inputs: Any,
    initial_state: State | None,
) -> tuple[Any, State | None]:
    """One layer after the other; each is called as `layer(sequence, initial_carry=...)` and gives (carry, sequence)."""
    x = inputs if embed is None else embed(inputs)
    final = []
    for k, layer in enumerate(layers):
        carry, x = layer(x, initial_carry=None if initial_state is None else initial_state[k][0])
        final.append((carry,))
    outputs = x if architecture.return_sequences else x[..., -1, :]
    return outputs, tuple(final) if architecture.return_state else None


def activation(name: str) -> Callable[[Any], Any]:
    """JAX's own function of that name; Flax exports the same ones."""
    import jax

    functions: dict[str, Callable[[Any], Any]] = {
        "tanh": jax.numpy.tanh,
        "relu": jax.nn.relu,
        "linear": jax.nn.identity,
        "sigmoid": jax.nn.sigmoid,
    }
    return functions[name]
