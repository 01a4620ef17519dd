"""Comparing the gradients that a subject returned with those of the specification (SPEC.md, chapter 11)."""

from __future__ import annotations

from collections.abc import Callable

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.comparing import NonConforming, Place, check_shape, compare
from rnn_conformance.conformance.judging.outputs import Findings, given_to
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.bounds.gradients import expected_gradients
from rnn_conformance.reference.model.architecture import Choices
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.weights import widened


@ignoring_flags
def judge_gradients(
    case: Case,
    gradients: Gradients,
    precision: Precision,
    choices: Choices,
    *,
    from_given_state: bool = False,
    cotangent: Output | None = None,
    only: Callable[[str], bool] = lambda name: True,
) -> Findings:
    """Judge the gradients of `case`, by the names that `Gradients.arrays` gives them.

    They were taken with the case's own cotangent unless another is named, and with its initial state if
    `from_given_state` says so. All have to be there, in their shapes; `only` picks those whose numbers are judged. They
    discriminate if one would be wrong in a layer that passes no gradient from a timestep to the one before. Raises
    NonConforming.
    """
    architecture = case.architecture
    state, mask = given_to(case, from_given_state)
    expected = expected_gradients(
        architecture,
        widened(case.weights, architecture.dtype),
        case.inputs,
        case.cotangent if cotangent is None else cotangent,
        state,
        precision,
        mask=mask,
        choices=choices,
    )
    actual = dict(gradients.arrays())
    if actual.keys() != expected.keys():
        names = ", ".join(sorted(actual)) or "none"
        raise NonConforming(f"gradients of {names}, but should be of {', '.join(sorted(expected))}")
    findings = Findings()
    for name, wanted in expected.items():
        title = f"gradient of {name}"
        check_shape(title, actual[name], wanted.value.shape)
        if only(name):
            findings.add(
                compare(title, actual[name], wanted.value, wanted.bound, architecture.dtype, _place(name)), wanted
            )
    return findings


def _place(name: str) -> Place | None:
    """Where an element belongs, in words, if the name does not say so itself."""
    words = {"inputs": ("timestep", "feature"), "embedding": ("token", "feature")}.get(name)
    if words is None:
        return None
    return lambda at: ", ".join(f"{word} {i}" for word, i in zip(words, at[-2:], strict=True))
