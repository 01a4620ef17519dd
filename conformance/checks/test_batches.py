"""Clause 8.4 of SPEC.md: batches of one size after another, in every way to run a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import FLOAT32
from rnn_conformance.conformance.checks.crossing import UNROLLED
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.reference.model.architecture import Architecture, Layer

_FEATURES, _UNITS = 3, 4
_BATCH, _TIMESTEPS = 2, 3
_SIZES = ((_BATCH, _TIMESTEPS), (5, _TIMESTEPS), (3, 6), (1, _TIMESTEPS), (_BATCH, 6))
"""Sequences and timesteps of one call after another: more and fewer of the one, of the other, and of both.

The first three have to do in other ways than the main one.
"""


@pytest.mark.clause("8.4", modes="main", dtypes=FLOAT32, thrifty=())
def test_batches_of_other_sizes(check: Check) -> None:
    """In every way to run a model, each sequence of a larger or smaller batch has its own inputs, mask and state."""

    def examine(given: bool, case: Case) -> bool:
        network = check.network(case)
        told = False
        for call in _calls(check, case):
            state = {"initial_state": call.initial_state} if given else {}
            told |= check.judge(call, network.run(call.inputs, **state, **call.given), from_given_state=given)
        return told

    description = check.subject.description
    ways = description.modes + description.ways
    for given in (True, False):
        cases = [case for masked in (False, True) for way in ways for case in _cases(check, way, given, masked)]
        check.every(cases, partial(examine, given), initial_state=given)


def _cases(check: Check, way: str, given: bool, masked: bool) -> Iterator[Case]:
    """The first of the calls: from a state all outputs of a masked model, else the last ones of a masked model."""
    if given and not check.offers("initial state"):
        return
    masking = next((kind for kind in ("mask", "lengths") if check.offers(kind)), "") if masked else "none"
    if not masking:
        return
    architecture = Architecture(
        (Layer(_FEATURES, _UNITS, check.cells[0]),),
        dtype=check.dtype,
        mode=way,
        masking=masking,
        return_sequences=given or not masked,
        return_state=check.offers("final state"),
        timesteps=_TIMESTEPS if way == UNROLLED else None,
    )
    pattern = {"mask": "gaps", "lengths": "right"}.get(masking, "")
    for k in range(check.profile.draws):
        yield Case(architecture, _BATCH, _TIMESTEPS, "unit", check.seed + k, pattern)


def _calls(check: Check, case: Case) -> Iterator[Case]:
    """Calls of one size after another, all with the weights of the case."""
    yield case
    sizes = _SIZES if case.architecture.mode == check.mode else _SIZES[:3]  # each has to be compiled
    for batch, timesteps in sizes[1:]:
        if case.architecture.timesteps in (None, timesteps):
            other = replace(case, batch=batch, timesteps=timesteps, held=None)
            yield other.with_arrays(replace(other.arrays, weights=case.weights))


@pytest.mark.clause("8.4", modes="main", dtypes=FLOAT32, thrifty=())
def test_gradients_of_other_sizes(check: Check) -> None:
    """The gradients of a larger or smaller batch are those of all its sequences and timesteps."""
    check.requires("gradients")
    given = check.offers("initial state")

    def examine(case: Case) -> bool:
        network = check.network(case)
        told = False
        for call in _calls(check, case):
            state = {"initial_state": call.initial_state} if given else {}
            found = network.gradients(call.inputs, call.cotangent, **state, **call.given)
            told |= check.judge_gradients(call, found, from_given_state=given)
        return told

    main = check.subject.description.modes[0]
    cases = [case for masked in (False, True) for case in _cases(check, main, given, masked)]
    check.every(cases, examine, initial_state=given)
