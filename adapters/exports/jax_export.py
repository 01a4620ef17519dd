"""JAX to a program of StableHLO by jax.export, which is made bytes, read again and run: the adapter of this export."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from rnn_conformance.adapters.description import EXTRAS, Description
from rnn_conformance.adapters.exports.jax_shapes import names_of_shapes, open_shapes
from rnn_conformance.adapters.exports.kept import MANY_SIZES, Exports
from rnn_conformance.adapters.inlining import example, examples, functions
from rnn_conformance.adapters.jax.arrays import JaxArray, Parameters
from rnn_conformance.adapters.jax.scan import ScanNetwork
from rnn_conformance.adapters.jax.scan import adapter as _scan
from rnn_conformance.adapters.jax.shared import JaxAdapter
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.states import State, each_state

_NO_TRAINING = "what is exported without vjp_order has no gradients"

_EXPORTS = Exports()


@cache
def _description() -> Description:
    own = _scan.describe()
    unsupported = {
        **own.unsupported,
        **dict.fromkeys(("gradients", "double backward", "training step"), _NO_TRAINING),
        "any size": MANY_SIZES,
    }
    return replace(
        own,
        framework="JAX through jax.export",
        modes=("open",),
        ways=("fixed",),
        offers=tuple(feature for feature in EXTRAS if feature in own.offers and feature not in unsupported),
        unsupported=unsupported,
        notes={
            "mixed precision": own.notes["mixed precision"],
            "open": "`jax.export.symbolic_args_specs` with names for the batch and the timesteps",
            "fixed": "an export for each shape",
            "sent": "`exported.serialize()`, `jax.export.deserialize` and `jax.jit` of its `call`",
        },
        example=example("exports/jax_example.py"),
        examples=examples("exports/jax_example.py"),
    )


class _ExportNetwork(ScanNetwork):
    """A call is that of a program: one for each set of what is given and, in the way `fixed`, for each shape."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self._call = self._call_program

    def _call_program(self, parameters: Parameters, inputs: Inputs, **given: Any) -> tuple[JaxArray, State]:
        from rnn_conformance.adapters.exports.jax_example import sent

        arguments = (parameters, inputs, *given.values())
        everything = replace(self._architecture, return_sequences=True, return_state=True, batch=None, timesteps=None)
        state = given["initial_state"]
        shapes = None if self._architecture.mode == "fixed" else (None, *open_shapes(self._architecture, given))
        sizes = str(each_state(lambda h: h.shape, state)) if shapes is None else state is not None
        key = (everything, str(inputs.dtype), inputs.shape if shapes is None else None, sizes)

        def call(parameters: Parameters, inputs: Inputs, *rest: Any) -> Any:
            return self._function(parameters, inputs, **dict(zip(given, rest, strict=True)))

        outputs, final = _EXPORTS.get(key, lambda: sent(call, arguments, shapes))(*arguments)
        return outputs, final


def _script(architecture: Architecture, wants: str) -> str:
    """The script of jax.lax.scan, in which the model is exported before it is called."""
    if wants != "outputs":
        raise ValueError(f"a script gives outputs or gradients, of which an export has none, and not {wants!r}")
    source = _scan.script(replace(architecture, mode="compiled"), wants)
    definition = functions("exports/jax_example.py", "sent")
    before, _, call = source.rpartition("jax.jit(model)")
    arguments, _, after = call.partition(")\n")
    names = arguments.removeprefix("(")
    shapes = f", ({names_of_shapes(architecture, names)})" if architecture.mode == "open" else ""
    first, model, rest = before.partition("\ndef model(")
    first = first.replace("import numpy as np\n", "import numpy as np\nfrom jax import export\n", 1)
    return f"{first}\n{definition}\n\n{model}{rest}sent(model, ({names}){shapes})({names})\n{after}"


adapter = JaxAdapter({"jax": "0.4.31"}, _description, _ExportNetwork, _script, ("jax", "flatbuffers"))
