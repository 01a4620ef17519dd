"""Clause 1.12 of SPEC.md: NaN and infinities reach what the mathematics says, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import NonConforming, check_shape, compare, same_bits
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import Array, Weights, in_float64

_REGIMES = ("unit", "small", "contractive")
"""Where finite numbers stay far from overflow, and few tanh units saturate."""

_SMALLEST = 2.0**-6
_KINDS = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


@dataclass(frozen=True)
class _Place:
    """Where the number that is not finite goes: sequence, timestep (-1 is the initial state), feature or unit."""

    row: int
    timestep: int
    index: int


@pytest.mark.clause("1.12")
def test_inputs_that_are_not_finite(check: Check) -> None:
    """NaN or an infinity in one input makes of later outputs what the recurrence does, and changes no other bit."""

    def examine(case: Case) -> bool:
        rng = np.random.default_rng(case.seed)
        place = _Place(*(int(rng.integers(size)) for size in case.inputs.shape))
        number = _KINDS[str(rng.choice(list(_KINDS)))]
        inputs = case.inputs.copy()
        inputs[place.row, place.timestep, place.index] = number
        return _examine(check, case, place, inputs, None)

    check.for_all(("layer", "stack"), examine, regimes=_REGIMES, few=True)


@pytest.mark.clause("1.12")
def test_initial_state_that_is_not_finite(check: Check) -> None:
    """NaN or an infinity in one initial state makes of outputs what the recurrence does, in its own sequence only."""
    check.requires("initial state")

    def examine(case: Case) -> bool:
        rng = np.random.default_rng(case.seed)
        (((h, *parts),), *others) = case.initial_state
        place = _Place(int(rng.integers(len(h))), -1, int(rng.integers(h.shape[1])))
        h = h.copy()
        h[place.row, place.index] = _KINDS[str(rng.choice(list(_KINDS)))]
        return _examine(check, case, place, case.inputs, (((h, *parts),), *others))

    check.for_all(("layer", "stack"), examine, regimes=_REGIMES, few=True)


def _examine(check: Check, case: Case, place: _Place, inputs: Array, state: State | None) -> bool:
    """Run the case as it is and with the one number at `place` changed; judge what changed and what did not."""
    weights = _without_zeros(case.weights)
    clean = check.run(case, weights=weights, initial_state=None if state is None else case.initial_state).outputs
    outputs = check.run(case, weights=weights, inputs=inputs, initial_state=state).outputs
    check_shape("outputs", outputs, clean.shape)
    row, since = place.row, max(place.timestep, 0)

    others = np.arange(case.batch) != row
    what = "the initial state" if place.timestep < 0 else f"the input at timestep {place.timestep}"
    why = f"only {what} of sequence {row} has changed"
    same_bits("outputs of the other sequences", outputs[others], clean[others], why)
    same_bits(f"outputs[{row}, :{since}]", outputs[row, :since], clean[row, :since], why)

    wide = in_float64(weights)
    reference = network.run(case.architecture, wide, inputs.astype(np.float64), _wide(state)).outputs
    affected, wanted = outputs[row, since:], reference[row, since:]
    _same_pattern(f"outputs[{row}, {since}:]", affected, wanted)
    _goes_on(check, case, weights, inputs, outputs, place)
    return bool(others.any() or since) and not np.array_equal(affected, clean[row, since:])


def _without_zeros(weights: Weights) -> Weights:
    """The same weights with none near zero, since 0 times infinity is NaN, and a subnormal number may count as 0.

    Then a sum is NaN where a term is NaN or two are infinite with different signs, in every order of summation.
    """

    def moved(array: Array) -> Array:
        near = np.abs(array) < _SMALLEST
        return np.where(near, np.where(np.signbit(array), -_SMALLEST, _SMALLEST), array).astype(array.dtype)

    return Weights(tuple(layer.with_arrays(W=moved(layer.W), U=moved(layer.U)) for layer in weights.layers))


def _wide(state: State | None) -> State | None:
    return each_state(lambda h: h.astype(np.float64), state)


def _same_pattern(name: str, actual: Array, wanted: Array) -> None:
    """Raise NonConforming unless NaN, infinities of either sign and finite numbers stand in the same places."""
    seen, should = _pattern(actual), _pattern(wanted)
    wrong = np.argwhere(seen != should)
    if len(wrong):
        at = tuple(int(i) for i in wrong[0])
        raise NonConforming(
            f"{name}{list(at)} is {seen[at]}, but should be {should[at]} ({len(wrong)} of {actual.size} are wrong)",
            actual=actual,
            expected=wanted,
        )


def _pattern(array: Array) -> Array:
    words = np.where(array > 0, "inf", "-inf")
    return np.where(np.isnan(array), "NaN", np.where(np.isinf(array), words, "finite"))


def _goes_on(check: Check, case: Case, weights: Weights, inputs: Array, outputs: Array, place: _Place) -> None:
    """Where a tanh or sigmoid layer is finite again after an infinity, judge that it goes on by the recurrence."""
    (layer, *above), start = case.architecture.layers, place.timestep + 1
    row = slice(place.row, place.row + 1)
    if len(layer.cell.parts) > 1:
        return  # from where it goes on is not all to be seen
    if above or start in (0, case.timesteps) or not np.isfinite(outputs[row, start - 1 :]).all():
        return
    expected = expected_layer(
        layer,
        in_float64(weights.layers[0]),
        inputs[row, start:].astype(np.float64),
        ((outputs[row, start - 1].astype(np.float64),),),
        check.precision,
        seen=outputs[row, start:].astype(np.float64),
    ).outputs
    name = f"outputs[{place.row}:, {start}:]"
    judgement = compare(name, outputs[row, start:], expected.value, expected.bound, check.dtype)
    check.evidence.add(judgement, case)
