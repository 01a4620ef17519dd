"""What the checks of many chapters share: kinds of masking, parts of an output, faults that should show."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import Structure
from rnn_conformance.conformance.cases.patterns import PATTERNS_OF_LENGTHS
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.examining import Examine
from rnn_conformance.conformance.judging.comparing import NonConforming, compare
from rnn_conformance.conformance.judging.outputs import Findings, expectations, place_in, reach_of
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.masking import course_of
from rnn_conformance.reference.model.architecture import Choices
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import state_arrays
from rnn_conformance.reference.model.weights import Array

Way = Mapping[str, Any]
"""Arguments of `Check.for_all`: a kind of masking with its patterns, a direction, a merge mode, or several of them."""

PADDED = ("right", "left", "gaps", "ends")
"""The patterns that leave some timesteps out."""

TURNED: tuple[Way, ...] = ({"direction": "backward"}, {"direction": "bidirectional"})
"""The directions other than forward."""

MERGED: tuple[Way, ...] = tuple({"direction": "bidirectional", "merge": merge} for merge in ("sum", "mul", "ave"))
"""The ways to join two directions other than one behind the other."""


def maskings(patterns: Sequence[str] = PADDED) -> tuple[Way, ...]:
    """Each kind of masking, with those of the patterns that it can say."""
    of_lengths = [pattern for pattern in patterns if pattern in PATTERNS_OF_LENGTHS]
    return {"masking": "lengths", "patterns": of_lengths}, {"masking": "mask", "patterns": patterns}


def turned_and_masked() -> tuple[Way, ...]:
    """Each of these directions with each kind of masking."""
    return tuple({**direction, **masking} for direction in TURNED for masking in maskings())


def for_each(
    check: Check,
    kinds: Sequence[str],
    ways: Sequence[Way],
    examine: Examine,
    *,
    few: bool = False,
    all_ways: bool = False,
    **how: Any,
) -> None:
    """Search in each of `ways`, for each kind of model; what the subject lacks or refuses is left out.

    `how` is what else `Check.for_all` takes. A thrifty profile has time for one of the ways, beginning with another for
    each seed, unless it needs `all_ways`, and where `few` models are enough for the first of the kinds. Raises
    Unsupported, with the first reason, if nothing is left.
    """
    lacks = check.subject.description.lacks
    only_one = check.profile.thrifty and check.pin is None
    first = check.seed % len(ways) if check.profile.thrifty else 0
    ran, refused = 0, []
    for way in [*ways[first:], *ways[:first]]:
        left_out = only_one and not all_ways and ran > 0
        for kind in kinds:
            lacking = next(filter(None, map(lacks, (kind, *_needs(way)))), "")
            spared = only_one and (few or check.is_spare) and kind != kinds[0]
            if lacking or left_out or spared:
                check.skip_search()
                refused.append(Unsupported(lacking))
                continue
            try:
                ran += check.for_all(kind, examine, **how, **way)
            except Unsupported as reason:
                refused.append(reason)
    if not ran and refused:
        raise refused[0]


def _needs(way: Way) -> Iterator[str]:
    """What a subject has to offer to be asked for this."""
    if (masking := way.get("masking", "none")) != "none":
        yield masking
    if (direction := way.get("direction", "forward")) != "forward":
        yield direction
    if way.get("merge", "concat") != "concat":
        yield "merge modes"


def has_parts(structure: Structure) -> bool:
    """Whether there are two timesteps to tell apart."""
    return structure.timesteps > 1


def is_short(structure: Structure) -> bool:
    """Whether there are two timesteps but not many: enough for a check that has models compiled of its own."""
    return 1 < structure.timesteps <= 5


# Parts of an output


def judge_parts(check: Check, case: Case, output: Output, *parts: str, from_given_state: bool = False) -> bool:
    """Judge some parts of what was returned, and say whether a wrong recurrence would have shown in them.

    The parts are ``valid outputs``, to which a last output belongs, ``padded outputs`` and ``states``: what is wrong in
    one of them should fail the checks of the clauses that speak of it, and no others. Raises NonConforming.
    """
    findings = _findings(check, case, output, parts, from_given_state)
    for judgement in findings.judgements:
        check.evidence.add(judgement, case)
    return findings.discriminates


def tells(check: Check, case: Case, wrong: Output, *parts: str, from_given_state: bool = False) -> bool:
    """Whether a subject that returned this for the case would be found out by these parts."""
    try:
        _findings(check, case, wrong, parts, from_given_state)
    except NonConforming:
        return True
    return False


def _findings(check: Check, case: Case, output: Output, parts: Collection[str], from_given_state: bool) -> Findings:
    choices = check.subject.description.choices
    findings = Findings()
    for name, actual, expected in expectations(case, output, check.precision, choices, from_given_state):
        at = _places(case, choices, name, parts)
        if not at.any():
            continue
        seen = np.where(at, actual.astype(np.float64), expected.value)
        place, reach = place_in(case.architecture, choices, name), reach_of(case.architecture, name)
        judgement = compare(name, seen, expected.value, expected.bound, check.dtype, place, reach)
        findings.add(
            judgement, replace(expected, without_recurrence=np.where(at, expected.without_recurrence, expected.value))
        )
    return findings


def _places(case: Case, choices: Choices, name: str, parts: Collection[str]) -> Mask:
    """Which elements of something that was returned belong to these parts; broadcasts with it."""
    if name.startswith("final_state"):
        return np.asarray("states" in parts)
    if not case.architecture.return_sequences:
        return np.asarray("valid outputs" in parts)
    valid = shows_valid(case, choices)[..., np.newaxis]
    return valid & ("valid outputs" in parts) | ~valid & ("padded outputs" in parts)


def shows_valid(case: Case, choices: Choices) -> Mask:
    """Which entries of the outputs (batch, timesteps) are those of a valid timestep."""
    if case.mask is None:
        return np.ones((case.batch, case.timesteps), np.bool_)
    layer = case.architecture.layers[-1]
    course = course_of(
        layer.direction == "backward", case.mask, choices.for_layer(layer), aligned=layer.is_bidirectional or None
    )
    assert course.sorted is not None
    shown = np.zeros_like(case.mask)
    np.put_along_axis(shown, course.sorted.entry, course.sorted.valid, 1)
    return shown


def states(output: Output, other: Output) -> Iterator[tuple[str, Array, Array]]:
    """Each final state of two outputs of the same model, with its name; none where the model returns none."""
    both = (state_arrays("final_state", each.final_state) for each in (output, other))
    for (name, h), (_, g) in zip(*both, strict=True):
        yield name, h, g


# Right and wrong layers to compare with


def shows_time(case: Case, output: Output) -> bool:
    """Whether the entries of the outputs differ, so that another order would show."""
    outputs = output.outputs
    return case.timesteps > 1 and bool((outputs != np.flip(outputs, 1 if case.architecture.batched else 0)).any())


def reference_run(case: Case, choices: Choices, *, from_given_state: bool = False) -> Output:
    """What a right layer returns, in the dtype of the case."""
    state = case.initial_state if from_given_state else None
    return network.run(case.architecture, case.weights, case.inputs, state, mask=case.mask, choices=choices)


def without_mask(check: Check, case: Case, *, from_given_state: bool = False, inputs: Array | None = None) -> Output:
    """What a layer returns that ignores the mask."""
    architecture = case.architecture
    if architecture.embedding is not None:
        architecture = replace(architecture, embedding=replace(architecture.embedding, mask_zero=False))
    state = case.initial_state if from_given_state else None
    return network.run(
        architecture,
        case.weights,
        case.inputs if inputs is None else inputs,
        state,
        choices=check.subject.description.choices,
    )
