"""Clauses 2.10 and 2.11 of SPEC.md: awkward sizes, and arrays that lie awkwardly in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.memory import at_offset
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.checks.refusals import attempt
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import SubjectRaised
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import each_state
from rnn_conformance.reference.model.weights import Array

_AROUND = ((7, 8, 9), (15, 16, 17), (31, 32, 33), (63, 64, 65), (255, 256, 257))
"""Numbers of units around those by which vectorised code counts: of each, one for a seed."""

Lie = Callable[[Array], Array]
"""The same numbers, lying otherwise in memory."""

EXACT = ("relu", "linear")
"""The activations that leave sums of small whole numbers exact."""

_LONG = 2000
_REGIMES = ("integers", "unit", "contractive", "saturating")


@pytest.mark.clause("2.10", modes="main")
def test_sizes(check: Check) -> None:
    """The recurrence holds for one timestep, unit, feature or sequence, for 256 units and for 2,000 timesteps."""
    from_state = check.offers("initial state")  # without one, a single timestep has no recurrence to be wrong in

    def examine(case: Case) -> bool:
        state = case.initial_state if from_state else None
        return check.judge(case, check.run(case, initial_state=state), from_given_state=from_state)

    cases = []
    sizes = list(enumerate(_sizes(check.seed)))
    for k, (features, units, batch, timesteps) in [*check.some_of(sizes[:-1], every=8), sizes[-1]]:
        layer = Layer(features, units, check.cells[(check.seed + k) % len(check.cells)])
        architecture = Architecture((layer,), dtype=check.dtype, mode=check.mode)
        # Without an upper bound, the state of a linear or relu layer grows beyond all numbers in so many steps.
        grows = timesteps == _LONG and layer.cell.activation in ("linear", "relu")
        regimes = (
            ("contractive",) if grows else check.some_of(_REGIMES, every=len(_REGIMES) if timesteps == _LONG else 1)
        )
        cases += [Case(architecture, batch, timesteps, regime, check.seed + k) for regime in regimes]
    check.every(cases, examine)


def _sizes(seed: int) -> list[tuple[int, int, int, int]]:
    """Features, units, batch and timesteps of each model, the small ones first."""
    rng = np.random.default_rng(seed)
    around = [int(rng.choice(sizes)) for sizes in _AROUND]
    return [
        (3, 2, 2, 1),
        (3, 1, 2, 4),
        (1, 3, 2, 4),
        (3, 2, 1, 4),
        (1, 1, 1, 1),
        *((int(rng.choice((3, 8, 17))), units, 2, 4) for units in around),
        (int(rng.choice(_AROUND[-1])), 3, 2, 4),
        (2, 3, int(rng.choice((31, 32, 33, 64, 65))), 3),
        (2, 3, 2, _LONG),
    ]


def _every_other(array: Array) -> Array:
    """A view of every other timestep of a longer array, with other numbers between."""
    longer = np.repeat(array, 2, axis=1)
    longer[:, 1::2] = 1
    return longer[:, ::2]


def _column_of_a_table(array: Array) -> Array:
    """A view of some features of an array that has more of them."""
    wider = np.ones((*array.shape[:-1], array.shape[-1] + 3), array.dtype)
    wider[..., 1:-2] = array
    return wider[..., 1:-2]


def _time_first(array: Array) -> Array:
    """A view of an array (timesteps, batch, ...), its first two axes exchanged."""
    return np.ascontiguousarray(array.swapaxes(0, 1)).swapaxes(0, 1)


def _read_only(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _shifted(array: Array) -> Array:
    """A copy that begins one number after a multiple of 64 bytes."""
    return at_offset(array, array.itemsize)


def _big_endian(array: Array) -> Array:
    return array.astype(array.dtype.newbyteorder(">"))


def _repeated(array: Array) -> Array:
    """The first sequence for all of the batch, which lies in memory once."""
    return np.broadcast_to(array[:1], array.shape)


def _backwards(array: Array) -> Array:
    """A view with negative strides."""
    return array[:, ::-1].copy()[:, ::-1]


_OF_ANY_ARRAY: dict[str, Lie] = {
    "an odd offset": _shifted,
    "Fortran order": np.asfortranarray,
    "read-only memory": _read_only,
}
"""How inputs, states and weights may lie."""

_OF_SEQUENCES: dict[str, Lie] = {
    "every other timestep of a longer array": _every_other,
    "some features of a wider array": _column_of_a_table,
    "time first in memory": _time_first,
    "one sequence, broadcast": _repeated,
}
"""How inputs may lie, and states, where no sequence takes the place of another."""

_MAY_BE_REFUSED: dict[str, Lie] = {"negative strides": _backwards}


@pytest.mark.clause("2.11", modes="main")
def test_memory_layout(check: Check) -> None:
    """However what it is given lies in memory, a call gives what plain copies give: to the bit where sums are exact.

    Elsewhere another layout may be summed in another order, and differ in the last bits: then the bound decides.
    """
    from_state = check.offers("initial state")

    def examine(case: Case) -> bool:
        exact = case.regime == "integers" and set(case.architecture.layers[0].cell.activations.values()) <= set(EXACT)
        plain = check.run(case, initial_state=case.initial_state if from_state else None).outputs
        layouts = list((_OF_ANY_ARRAY | _OF_SEQUENCES | _MAY_BE_REFUSED).items())
        for name, lie in layouts if exact else [layouts[case.seed % len(layouts)]]:  # judging takes far longer
            given, wanted = case, plain
            if lie is _repeated:
                given = _with_inputs(case, lie(case.inputs).copy())
                wanted = check.run(given, initial_state=case.initial_state if from_state else None).outputs
            run = partial(_run_lying, check, given, lie, from_state, with_weights=name in _OF_ANY_ARRAY)
            result = attempt(run) if name in _MAY_BE_REFUSED else run()
            if isinstance(result, SubjectRaised):
                continue
            if exact:
                same_bits(f"outputs from {name}", result.outputs, wanted, "the numbers are the same")
            else:
                check.judge(given, result, from_given_state=from_state)
        return case.timesteps > 1 and case.batch > 1 and not np.array_equal(plain[0], plain[-1])

    how: dict[str, Any] = {"where": lambda structure: structure.batch > 1, "few": True}
    # No sum of a gated cell is exact, whatever its candidate.
    gated = any("gate" in cell.activations for cell in check.cells)
    check.for_all(("layer", "embedding"), examine, regimes=["integers"], activations=None if gated else EXACT, **how)
    if check.profile.thrifty:
        for _ in ("layer", "embedding"):
            check.skip_search()
    else:
        check.for_all(("layer", "embedding"), examine, regimes=["unit", "contractive"], **how)

    def in_the_other_byte_order(case: Case) -> bool:
        plain = check.run(case, initial_state=case.initial_state if from_state else None)
        run = partial(_run_lying, check, case, _big_endian, from_state, with_weights=False)
        if not isinstance(result := attempt(run), SubjectRaised):
            check.judge(case, result, from_given_state=from_state)
        return bool(plain.outputs.any())

    # In an example of its own, so that what is known of it leaves out nothing else.
    check.every(few_cases(check, ("layer",)), in_the_other_byte_order, wrong="the other byte order")


def _run_lying(check: Check, case: Case, lie: Lie, from_state: bool, with_weights: bool) -> Output:
    """What the case gives with its arrays lying so; its weights, too, if they can."""
    network = check.network(case).as_they_lie()
    network.load(case.weights.map(lie) if with_weights else case.weights)
    of_state: Lie = np.asfortranarray if lie is _repeated else lie
    state = each_state(of_state, case.initial_state) if from_state else None
    return network.run(lie(case.inputs), **({} if state is None else {"initial_state": state}))


def _with_inputs(case: Case, inputs: Array) -> Case:
    return case.with_arrays(replace(case.arrays, inputs=inputs))
