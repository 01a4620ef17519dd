"""What is right for a case, and how far from it a right layer may lie, without a look at any layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.outputs import given_to
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.bounds.layers import expected_last, expected_layer
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Choices
from rnn_conformance.reference.model.states import state_arrays
from rnn_conformance.reference.model.weights import widened


@ignoring_flags
def expected_of(case: Case, precision: Precision, choices: Choices, *, started: bool) -> Iterator[tuple[str, Expected]]:
    """`outputs` and each array of the final state by name, in float64, with the bound of each element (BOUNDS.md).

    It is the bound for what is not seen, carried through the recurrence: the judge of a run has the subject's own
    outputs to start from, and is sharper.
    """
    architecture = case.architecture
    weights = widened(case.weights, architecture.dtype)
    state, mask = given_to(case, started)
    x, state, mask = network.as_batch(architecture, weights, case.inputs, state, mask)
    error, finals = None, []
    for k, layer in enumerate(architecture.layers):
        given: Any = {"mask": mask, "choices": choices, "inputs_error": error}
        start = state[k] if state else None
        expected = expected_layer(layer, weights.layers[k], x, start, precision, **given)
        x, error = expected.outputs.value, expected.outputs.bound
        finals.append(expected.final)
    yield "outputs", expected.outputs if architecture.return_sequences else expected_last(layer, expected, precision)
    yield from state_arrays("final_state", finals)
