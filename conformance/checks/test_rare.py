"""Clauses 1.1, 2.10 and 11.1 of SPEC.md for faults that are rare or late: many calls, sequences, units, timesteps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import in_direction
from rnn_conformance.conformance.cases.profiles import FLOAT32
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.reference.model.architecture import DIRECTIONS, Architecture, Embedding, Layer

_CALLS, _GRADIENTS = 320, 220
_SIZES = ((3, 16, 17, 5), (3, 48, 9, 3), (2, 3, 2, 140))
"""Features, units, sequences and timesteps: past the eighth sequence, a multiple of 16 units, past 128 timesteps."""

_LONG = 270
"""Timesteps of a masked sequence: more than a byte holds."""

_TOKENS = 70_000
"""More than two bytes hold."""


@pytest.mark.clause("1.1", "11.1", modes="main", dtypes=FLOAT32, thrifty=())
def test_many_calls(check: Check) -> None:
    """Each of 320 calls of a model, and of 220 gradients, is right."""
    architecture = Architecture((Layer(2, 3, check.cells[0]),), dtype=check.dtype, mode=check.mode)
    cases = [Case(architecture, 2, 4, "contractive", check.seed + k) for k in range(_CALLS)]
    check.every(cases, lambda case: check.judge(case, check.run(case)))
    if check.offers("gradients"):
        check.every(cases[:_GRADIENTS], lambda case: check.judge_gradients(case, check.gradients(case)))
    else:
        check.skip_search()


@pytest.mark.clause("2.10", "11.1", modes="main", dtypes=FLOAT32, thrifty=())
def test_late_and_large(check: Check) -> None:
    """Sequences, units and timesteps far from the first are right in each direction, forward and in gradients."""

    def examine(case: Case) -> bool:
        told = check.judge(case, check.run(case))
        if check.offers("gradients"):
            check.judge_gradients(case, check.gradients(case))
        return told

    check.every(_large(check), examine)


def _large(check: Check) -> Iterator[Case]:
    offered = [direction for direction in DIRECTIONS if direction == "forward" or check.offers(direction)]
    state = check.offers("final state")
    for direction in offered:
        for k, (features, units, batch, timesteps) in enumerate(_SIZES):
            layers = in_direction([Layer(features, units, check.cells[k % len(check.cells)])], direction)
            architecture = Architecture(layers, dtype=check.dtype, mode=check.mode, return_state=state)
            yield Case(architecture, batch, timesteps, "contractive", check.seed)
        for masking in [kind for kind in ("lengths", "mask") if check.offers(kind)]:
            layers = in_direction([Layer(2, 3, check.cells[0])], direction)
            how = Architecture(layers, dtype=check.dtype, mode=check.mode, return_state=state, masking=masking)
            yield from (Case(how, 5, _LONG, "contractive", check.seed + j, "right") for j in range(2))
    if check.offers("embedding"):
        model = Architecture((Layer(2, 3, check.cells[0]),), Embedding(_TOKENS, 2), check.dtype, mode=check.mode)
        yield from (replace(Case(model, 5, 9, "contractive", 0), seed=check.seed + k) for k in range(2))
