"""What a subject is given lies alike in memory, so that last bits which depend on that are no failure."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.memory import at_offset, laid_out, lies_well
from rnn_conformance.conformance.checks.catalogue import checks
from rnn_conformance.conformance.engine.subject import GuardedNetwork, Subject
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.base import MutantAdapter, Sound, other_last_bits
from rnn_conformance.conformance.selftest.trials import check_of, failure_of
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State, each_state, flat
from rnn_conformance.reference.model.weights import Weights

SHIFTED = partial(at_offset, offset=8)
LAYOUTS = {
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "Fortran order": np.asfortranarray,
}


class BitsByAddress(Sound):
    """Other last bits where anything that it is given begins at no multiple of 64 bytes; right within rounding."""

    shifted = False

    def load(self, weights: Weights) -> None:
        self.weights_lie_well = all(lies_well(array) for _, array in weights.arrays())
        super().load(weights)

    def compute(self, inputs: Inputs, start: State | None, mask: Mask | None) -> Output:
        given = [inputs, *([] if mask is None else [mask]), *flat(start)]
        output = super().compute(inputs, start, mask)
        return output if self.weights_lie_well and all(map(lies_well, given)) else other_last_bits(output)


def network_and_case() -> tuple[GuardedNetwork, Case]:
    case = Case(Architecture((Layer(3, 2),), return_state=True), 2, 4, "unit", 0)
    return Subject(MutantAdapter(BitsByAddress)).network(case.architecture), case


@pytest.mark.parametrize(
    "name", ["test_initial_state_that_is_not_finite", "test_same_call_twice", "test_splitting_a_sequence"]
)
def test_bits_by_address_are_no_failure(name: str) -> None:
    """A check to the bit compares calls whose arrays lie alike, so that only what it is about can make a difference."""
    full = next(each for each in checks() if each.endswith(f"::{name}"))
    check = check_of(full, Subject(MutantAdapter(BitsByAddress)), "float32", "smoke", 0)
    assert failure_of(check, checks()[full]) is None


def test_memory_layout_still_sees_them() -> None:
    """Where arrays lie elsewhere on purpose, and sums are exact, the last bits have to be the same."""
    name = "test_sizes.py::test_memory_layout"
    check = check_of(name, Subject(MutantAdapter(BitsByAddress)), "float32", "smoke", 0)
    assert isinstance(failure_of(check, checks()[name]), NonConforming)


def test_guard_lays_out_whatever_is_given() -> None:
    """Weights, inputs and states of a call are moved, but for a network that is given them as they lie."""
    network, case = network_and_case()
    network.load(case.weights)
    wanted = network.run(case.inputs, initial_state=case.initial_state).outputs
    network.load(case.weights.map(SHIFTED))
    given = {"initial_state": each_state(SHIFTED, case.initial_state)}
    np.testing.assert_array_equal(network.run(SHIFTED(case.inputs), **given).outputs, wanted)
    assert (network.as_they_lie().run(SHIFTED(case.inputs), **given).outputs != wanted).any()


def test_arrays_of_a_case_lie_as_they_are_given() -> None:
    """So what a subject writes to them, or what is written to them later, is seen on both sides."""
    _, case = network_and_case()
    arrays = [
        case.inputs,
        *(array for _, array in case.weights.arrays()),
        *flat(case.initial_state),
    ]
    assert all(lies_well(array) and laid_out(array) is array for array in arrays)


@pytest.mark.parametrize("lie", [SHIFTED, *LAYOUTS.values()], ids=["shifted", *LAYOUTS])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
def test_laid_out(lie: object, dtype: str) -> None:
    """An array that lies otherwise is copied: the same numbers of the same type."""
    array = lie(np.arange(12).reshape(3, 4).astype(dtype))  # type: ignore[operator]
    assert not lies_well(array)
    moved = laid_out(array)
    assert lies_well(moved)
    assert moved.dtype == array.dtype
    np.testing.assert_array_equal(moved, array)
