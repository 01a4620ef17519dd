"""What the specification says of one call, and whether something else came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.drawing import Drawn
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.explaining.listening import Call
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.layers import gradients as reference_gradients
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Choices
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import each_state, state_arrays
from rnn_conformance.reference.model.weights import Array, widened

Found = Output | Gradients
"""What comes of a call."""


def right_of(call: Call, choices: Choices) -> Found:
    """What there should be, in float64."""
    architecture, weights = call.architecture, widened(call.weights, call.architecture.dtype)
    inputs, mask = _wide(call.inputs), mask_of(call)
    state = each_state(_wide, call.given.get("initial_state"))
    if call.cotangent is not None:
        if mask is not None and not architecture.embedding:  # what is not valid has no part in any gradient, NaN or not
            inputs = np.where(mask[..., np.newaxis], inputs, 0)
        cotangent = Output(_wide(call.cotangent.outputs), each_state(_wide, call.cotangent.final_state))
        return reference_gradients.gradients(
            architecture, weights, inputs, cotangent, state, mask=mask, choices=choices
        )
    carrying = replace(architecture, return_state=True)
    for before in call.earlier:
        state = network.run(carrying, weights, _wide(before), state, choices=choices).final_state
    return network.run(architecture, weights, inputs, state, mask=mask, choices=choices)


def mask_of(call: Call) -> Mask | None:
    """True where a timestep is valid; None where nothing was said of that."""
    if "lengths" in call.given:
        timesteps = call.inputs.shape[int(call.architecture.batched)]
        return np.asarray(np.arange(timesteps) < np.asarray(call.given["lengths"])[..., np.newaxis])
    mask: Mask | None = call.given.get("mask")
    return mask


@ignoring_flags
def is_off(trial: Check, call: Call, found: Sequence[Found], failure: NonConforming) -> bool:
    """Whether what was found, of the call and of those before it, is not what it should be.

    NaN and infinities have to stand where they should, the number that the check has found to be wrong has to be right,
    and so have the bits, where it has asked for these very ones. All else is judged by its bounds.
    """
    right = right_of(call, trial.subject.description.choices)
    seen, should = arrays(found[-1]), arrays(right)
    if not all(_alike(seen[name], array) for name, array in should.items()):
        return True
    if not all(np.isfinite(array).all() for array in should.values()):
        return False
    if _place_of_what_is_wrong(seen, should, failure) or _has_other_bits(call, seen, should, failure):
        return True
    try:
        _judge(trial, call, found)
    except NonConforming:
        return True
    return False


@ignoring_flags
def sequence_off(found: Found, right: Found, failure: NonConforming) -> int:
    """The sequence of the batch with the number that the check has found to be wrong, or else the one furthest off."""
    seen, should = arrays(found), arrays(right)
    if place := _place_of_what_is_wrong(seen, should, failure):
        return place[0]
    error = np.abs(_wide(seen["outputs"]) - should["outputs"])
    return int(np.where(np.isnan(error), np.inf, error).reshape(len(error), -1).max(axis=1).argmax())


@ignoring_flags
def largest_error(found: Found, right: Found) -> float:
    """How far anything is off at most; NaN where anything is NaN, or is not and should be."""
    errors = []
    for name, array in arrays(right).items():
        seen = _wide(arrays(found)[name])
        same = (seen == array) | (np.isnan(seen) & np.isnan(array))
        errors.append(np.where(same, 0, np.abs(seen - array)).max(initial=0))
    return float(np.max(errors))


def arrays(found: Found) -> dict[str, Array]:
    """The arrays of it by name."""
    if isinstance(found, Gradients):
        return dict(found.arrays())
    return {"outputs": found.outputs, **dict(state_arrays("final_state", found.final_state))}


def _alike(seen: Array, should: Array) -> bool:
    """Whether NaN, infinities of either sign and finite numbers stand in the same places."""
    seen = _wide(seen)
    finite = np.isfinite(seen) & np.isfinite(should)
    return bool((finite | (seen == should) | (np.isnan(seen) & np.isnan(should))).all())


def _place_of_what_is_wrong(
    seen: Mapping[str, Array], should: Mapping[str, Array], failure: NonConforming
) -> tuple[int, ...]:
    """Where a number should be what the check has judged, and is off by as much; rounding may make half of it.

    Empty where there is none; of several the one that is most like it.
    """
    judgement = failure.judgement
    if judgement is None or not 0 < judgement.error < np.inf:
        return ()
    for name, array in should.items():
        error, apart = np.abs(_wide(seen[name]) - array), np.abs(array - judgement.value)
        at = (2 * error >= judgement.error) & (2 * apart <= judgement.error)
        if at.any():
            unlike = np.where(at, apart + np.abs(error - judgement.error), np.inf)
            return tuple(int(i) for i in np.unravel_index(int(unlike.argmin()), unlike.shape))
    return ()


def _has_other_bits(call: Call, seen: Mapping[str, Array], should: Mapping[str, Array], failure: NonConforming) -> bool:
    """Whether the check has asked for the very bits of the right outputs, rounded, and these have others."""
    wanted = failure.details.get("expected")
    if call.cotangent is not None or "bound" in failure.details or not isinstance(wanted, np.ndarray):
        return False
    rounded = should["outputs"].astype(dtype_of(call.architecture.dtype))
    asked = wanted.dtype == rounded.dtype and np.array_equal(wanted, rounded)
    return bool(asked and not np.array_equal(seen["outputs"], rounded))


def _judge(trial: Check, call: Call, found: Sequence[Found]) -> None:
    """Judge by bounds what can be: of several calls, those that are as one. Raises NonConforming."""
    last, from_given_state = found[-1], call.given.get("initial_state") is not None
    case = case_of(call)
    if isinstance(last, Gradients):
        trial.judge_gradients(case, last, from_given_state=from_given_state)
    elif not call.earlier:
        trial.judge(case, last, from_given_state=from_given_state)
    elif call.architecture.return_sequences and all(each.direction == "forward" for each in call.architecture.layers):
        outputs = [arrays(each)["outputs"] for each in found]
        trial.judge(case, Output(np.concatenate(outputs, axis=int(call.architecture.batched)), last.final_state))


def case_of(call: Call) -> Case:
    """The case whose call it is, with those before it as one."""
    time = int(call.architecture.batched)
    mask, state = mask_of(call), call.given.get("initial_state")
    inputs = np.concatenate([*call.earlier, call.inputs], axis=time)
    batch, timesteps = inputs.shape[:2] if time else (1, len(inputs))
    drawn = Case(call.architecture, batch, timesteps, "unit", 0, "" if mask is None else "right")
    held = Drawn(
        call.weights,
        inputs.astype(inputs.dtype.newbyteorder("=")),
        drawn.initial_state if state is None else state,
        mask,
        drawn.arrays.cotangent if call.cotangent is None else call.cotangent,
    )
    return drawn.with_arrays(held)


def _wide(array: np.ndarray) -> Array:
    """Numbers in float64; tokens as they are."""
    return array if array.dtype.kind in "iu" else array.astype(np.float64)
