"""A small framework with planted faults, and adapters of it that write scripts: what witnesses are tried on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import FunctionAdapter
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Weights


def layer(x: Any, W: Any, U: Any, b: Any, h: Any = None) -> Any:
    """A layer with tanh whose recurrent kernel stands the wrong way round."""
    h = np.zeros((len(x), len(U)), x.dtype) if h is None else h
    outputs = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ W.T + h @ U + (0 if b is None else b))
        outputs.append(h)
    return np.stack(outputs, axis=1)


def _run(architecture: Architecture, weights: Weights, inputs: Inputs, initial_state: State | None) -> Output:
    x, final = inputs, []
    for k, given in enumerate(weights.layers):
        x = layer(x, given.W, given.U, given.b, initial_state[k][0][0] if initial_state else None)
        final.append(((x[:, -1],),))
    outputs = x if architecture.return_sequences else x[:, -1]
    return Output(outputs, tuple(final) if architecture.return_state else None)


class ScriptingAdapter(FunctionAdapter):
    """An adapter with the optional method."""

    def script(self, architecture: Architecture, wants: str) -> str:
        assert wants == "outputs"
        start = "initial_state[k][0] if initial_state else None"
        lines = [
            "from planted import layer",
            "",
            "x, final_state = inputs, []",
            "for k, weights in enumerate(layers):",
            f'    x = layer(x, weights["W"], weights["U"], weights["b"], {start})',
            "    final_state.append((x[:, -1],))",
            f"outputs = {'x' if architecture.return_sequences else 'x[:, -1]'}",
        ]
        return "\n".join(lines)


DESCRIPTION = Description(
    framework="Planted",
    versions={"planted": "1.0"},
    activations=("tanh",),
    unsupported=dict.fromkeys(("single sequence", "embedding", "symbolic shapes"), "planted is a small framework"),
)

transposed = ScriptingAdapter(_run, DESCRIPTION)
without_script = FunctionAdapter(_run, replace(DESCRIPTION, framework="Planted, without scripts"))
