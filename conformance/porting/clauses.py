"""Which clauses of SPEC.md speak of what was judged of a user's own layer."""

from __future__ import annotations

from rnn_conformance.adapters.canonical import Call, Canonical

_EQUATION = {"simple_rnn": ("15.1",), "lstm": ("16.1", "16.2"), "gru": ("17.1", "17.2")}
"""The clauses of each cell's equation."""

WEIGHTS = ("6.1",)
"""That weights which were carried over are those that are there."""


def clauses_of(call: Call, named: str) -> tuple[str, ...]:
    """Those about the outputs or a final state of a call."""
    top = call.canonical.architecture.layers[-1]
    if named == "outputs":
        cited = ["1.1", "1.4" if call.is_last else "1.3"]
        cited += [clause for layer in call.canonical.architecture.layers for clause in _EQUATION[layer.cell.name]]
    else:
        cited = ["3.3"]
    if call.initial_state is not None:
        cited.append("3.2")
    if call.mask is not None:
        cited += ["9.1", "9.3" if call.is_last else "9.4"] if named == "outputs" else ["9.2"]
    if top.direction != "forward":
        cited.append("10.3" if top.is_bidirectional else "10.1")
    return tuple(dict.fromkeys(cited))


def clauses_of_gradient(canonical: Canonical, call: Call, named: str) -> tuple[str, ...]:
    """Those about one gradient of a call, by the name that `Gradients.arrays` gives it."""
    of = {"inputs": "11.2", "initial_state": "11.3"}.get(named.partition("[")[0], "11.1")
    cited, layers = [of], canonical.architecture.layers
    cited += [] if canonical.architecture.return_sequences else ["11.5"]
    cited += ["11.6"] if len(layers) > 1 else []
    cited += [] if call.mask is None else ["11.7"]
    cited += ["11.8"] if any(layer.direction != "forward" for layer in layers) else []
    return tuple(cited)
