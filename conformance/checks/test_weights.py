"""Chapter 6 of SPEC.md: weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import KINDS
from rnn_conformance.conformance.cases.memory import at_offset
from rnn_conformance.conformance.cases.profiles import DTYPES
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import NonConforming, same_bits
from rnn_conformance.reference.model.weights import Weights, parameter_count


@pytest.mark.clause("6.1", thrifty=DTYPES)
def test_round_trip(check: Check) -> None:
    """Weights are read back as they were loaded, before and after a call."""

    def examine(case: Case) -> bool:
        prepared = check.network(case)
        _same_weights(prepared.weights(), case.weights)
        prepared.run(case.inputs)
        _same_weights(prepared.weights(), case.weights)
        # A matrix that is its own transpose reads the same either way.
        return any(not np.array_equal(layer.U, layer.U.T) for layer in case.weights.layers)

    check.for_all(KINDS, examine)


@pytest.mark.clause("6.1", modes="main")
def test_arrays_changed_after_loading(check: Check) -> None:
    """What the caller writes into its arrays after they were loaded changes nothing in the model."""

    def examine(case: Case) -> bool:
        # Begins where vectorised code wants it to: the memory of such an array some frameworks share.
        given = case.weights.map(partial(at_offset, offset=0))
        prepared = check.network(case, given)
        for _, array in given.arrays():
            array.fill(0)
        _same_weights(prepared.weights(), case.weights)
        return any(bool(array.any()) for _, array in case.weights.arrays())

    check.every(few_cases(check, KINDS), examine)


@pytest.mark.clause("6.4", modes="main")
def test_arrays_changed_after_reading(check: Check) -> None:
    """What the caller writes into weights that were read back changes nothing in the model."""

    def examine(case: Case) -> bool:
        prepared = check.network(case)
        outputs = prepared.run(case.inputs).outputs.copy()
        for _, array in prepared.weights().arrays():
            if array.flags.writeable:  # else nobody can write to it
                array.fill(0)
        _same_weights(prepared.weights(), case.weights)
        same_bits("outputs", prepared.run(case.inputs).outputs, outputs, "only what was read back was written to")
        return any(bool(array.any()) for _, array in case.weights.arrays())

    check.every(few_cases(check, ("layer",) if check.profile.thrifty else KINDS), examine)


@pytest.mark.clause("6.2")
def test_loading_again(check: Check) -> None:
    """Weights that are loaded later take effect, and so do the first ones when they are loaded once more."""

    def examine(case: Case) -> bool:
        other = case.next()
        discriminates = check.judge(case, check.run(case))
        check.judge(other, check.run(other))
        changed = check.run(case, weights=other.weights).outputs
        after = check.network(case).run(case.inputs)
        check.judge(case, after)
        _same_weights(check.network(case, other.weights).weights(), other.weights)
        return discriminates and bool((changed != after.outputs).any())

    check.for_all("layer", examine)


@pytest.mark.clause("6.3", modes="main")
def test_parameter_count(check: Check) -> None:
    """The framework counts as many parameters as W, U, b and the embedding have numbers."""
    check.requires("parameter count")

    def examine(case: Case) -> bool:
        count = check.network(case).ask("parameter_count")
        wanted = parameter_count(case.architecture)
        if count != wanted:
            raise NonConforming(f"parameter_count = {count}, but should be {wanted}")
        return True

    check.for_all(KINDS, examine)
    if check.offers("bidirectional"):
        check.for_all(("layer", "stack"), examine, direction="bidirectional")
    else:
        check.skip_search()
        check.skip_search()


def _same_weights(actual: Weights, loaded: Weights) -> None:
    names = [name for name, _ in actual.arrays()], [name for name, _ in loaded.arrays()]
    if names[0] != names[1]:
        raise NonConforming(f"the weights read back are {names[0]}, but should be {names[1]}")
    for (name, array), (_, wanted) in zip(actual.arrays(), loaded.arrays(), strict=True):
        same_bits(name, array, wanted, "it was loaded")
