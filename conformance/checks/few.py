"""One case for each structure, for checks whose examples take long and whose numbers matter little."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import Structure, lattice
from rnn_conformance.conformance.engine.check import Check

_LARGE = 1000
"""Tables with more tokens than this are left out: saving them, or compiling for them, takes longer still."""


def few_cases(
    check: Check,
    kinds: Sequence[str],
    *,
    where: Callable[[Structure], bool] = lambda structure: True,
    pattern: str = "",
    **how: Any,
) -> Iterator[Case]:
    """A case for each structure of these kinds that the subject offers, the small ones first.

    `where` picks among the structures, and `how` is what `Structure.architecture` takes.
    """
    biases = (True, False) if check.offers("no bias") else (True,)
    count = max(check.profile.structures // 2, 1) if check.in_main_mode else check.profile.other_structures
    for kind in (kind for kind in kinds if check.offers(kind)):
        for structure in lattice(kind, count, check.shapes_seed, check.cells, biases, check.first_of(count)):
            if where(structure) and (structure.embedding is None or structure.embedding.tokens < _LARGE):
                returned = {"return_state": check.profile.thrifty and check.offers("final state"), **how}
                architecture = structure.architecture(dtype=check.dtype, mode=check.mode, **returned)
                yield Case(architecture, structure.batch, structure.timesteps, "unit", check.seed, pattern)
