"""Chapter 9 of SPEC.md: lengths and masks. Each check runs with lengths, with masks, or with both: what is offered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import DTYPES
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import check_finite, compare, same_bits
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.model.architecture import Choices
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.weights import Array, in_float64

_KINDS = ("layer", "stack")


@pytest.mark.clause("9.1", thrifty=DTYPES)
def test_valid_outputs(check: Check) -> None:
    """Each valid output follows from the last valid one before it, or from the initial state."""
    given = check.offers("initial state") and not check.profile.thrifty

    def examine(case: Case) -> bool:
        output = check.run(case, initial_state=case.initial_state if given else None)
        discriminates = laws.judge_parts(check, case, output, "valid outputs", from_given_state=given)
        if _only_after(case):  # the valid outputs are those of a layer that ignores the mask
            return discriminates
        return laws.tells(
            check, case, laws.without_mask(check, case, from_given_state=given), "valid outputs", from_given_state=given
        )

    laws.for_each(check, _KINDS, laws.maskings(), examine, where=laws.has_parts)


def _only_after(case: Case) -> bool:
    """Whether no timestep that is not valid comes before a valid one."""
    assert case.mask is not None
    return not (case.mask[:, 1:] > case.mask[:, :-1]).any()


@pytest.mark.clause("9.2")
def test_final_state_under_a_mask(check: Check) -> None:
    """The final state of each layer is its output at the last valid timestep."""
    check.requires("final state")

    def examine(case: Case) -> bool:
        laws.judge_parts(check, case, check.run(case), "states")
        return laws.tells(check, case, laws.without_mask(check, case), "states")

    laws.for_each(check, _KINDS, laws.maskings(), examine, where=laws.has_parts, return_state=True)


@pytest.mark.clause("9.3")
def test_last_output_under_a_mask(check: Check) -> None:
    """The last output is that of the last valid timestep."""

    def examine(case: Case) -> bool:
        laws.judge_parts(check, case, check.run(case), "valid outputs")
        return laws.tells(check, case, laws.without_mask(check, case), "valid outputs")

    laws.for_each(check, _KINDS, laws.maskings(), examine, where=laws.has_parts, return_sequences=False)


@pytest.mark.clause("9.4", modes="main", dtypes=("float32",))
def test_padded_outputs_from_a_state(check: Check) -> None:
    """From a given initial state, too, padded outputs are what the adapter declares, and that is zero at first."""
    check.requires("initial state")
    _search_padded_outputs(check, ["layer"], laws.maskings(), given=True)


@pytest.mark.clause("9.4")
def test_padded_outputs(check: Check) -> None:
    """Outputs at timesteps that are not valid are what the adapter declares: zero, a repetition, or an evolution."""
    _search_padded_outputs(check, _KINDS, laws.maskings())


@pytest.mark.clause("9.4", "10.6", modes="main", dtypes=("float32",))
def test_padded_outputs_of_directions(check: Check) -> None:
    """In backward and bidirectional layers, too, padded outputs are what the adapter declares."""
    _search_padded_outputs(check, ["layer"], laws.turned_and_masked())


def _search_padded_outputs(
    check: Check, kinds: Sequence[str], ways: Sequence[laws.Way], *, given: bool = False
) -> None:
    choices = check.subject.description.choices
    every = [Choices(choice, choices.backward_outputs) for choice in ("zero", "repeat", "continue")]

    def examine(case: Case) -> bool:
        output = check.run(case, initial_state=case.initial_state if given else None)
        laws.judge_parts(check, case, output, "padded outputs", from_given_state=given)
        declared = choices.for_layer(case.architecture.layers[-1]).padded_outputs
        others = (other for other in every if other.padded_outputs != declared)
        wrong = (laws.reference_run(case, other, from_given_state=given) for other in others)
        return any(laws.tells(check, case, output, "padded outputs", from_given_state=given) for output in wrong)

    laws.for_each(check, kinds, ways, examine, where=laws.has_parts if kinds == _KINDS else laws.is_short)


@pytest.mark.clause("9.5")
def test_nan_in_the_padding(check: Check) -> None:
    """NaN, infinities and the largest number in the padding change no bit of a valid output or of a final state."""
    _search_paddings(check, _KINDS, laws.maskings(), _extreme)


@pytest.mark.clause("9.5")
def test_numbers_in_the_padding(check: Check) -> None:
    """Other numbers at timesteps that are not valid change no bit of a valid output or of a final state."""

    def padding(case: Case) -> Array:
        assert case.mask is not None
        return case.next().inputs[~case.mask]

    _search_paddings(check, _KINDS, laws.maskings(), padding)


@pytest.mark.clause("9.5", "10.6", modes="main", dtypes=("float32",))
def test_nan_in_the_padding_of_directions(check: Check) -> None:
    """In backward and bidirectional layers, too, NaN and infinities in the padding change no bit."""
    _search_paddings(check, ["layer"], laws.turned_and_masked(), _extreme)


def _extreme(case: Case) -> Array:
    dtype = dtype_of(case.architecture.dtype)
    return np.array([np.nan, np.inf, -np.inf, np.finfo(dtype).max][case.seed % 4], dtype)


def _search_paddings(
    check: Check, kinds: Sequence[str], ways: Sequence[laws.Way], padding: Callable[[Case], Array]
) -> None:
    """Look for a bit that depends on what stands in the padding."""
    choices = check.subject.description.choices

    def examine(case: Case) -> bool:
        assert case.mask is not None
        inputs = case.inputs.copy()
        inputs[~case.mask] = padding(case)
        before, after = check.run(case), check.run(case, inputs=inputs)
        valid = laws.shows_valid(case, choices)[..., np.newaxis]
        why = "the inputs differ only where they are not valid"
        same_bits("outputs", np.where(valid, after.outputs, before.outputs), before.outputs, why)
        for name, actual, wanted in laws.states(after, before):
            same_bits(name, actual, wanted, why)
        return _shows(laws.without_mask(check, case), laws.without_mask(check, case, inputs=inputs), valid)

    state, where = check.offers("final state"), laws.has_parts if kinds == _KINDS else laws.is_short
    laws.for_each(check, kinds, ways, examine, where=where, return_state=state)


def _shows(one: Output, other: Output, valid: Mask) -> bool:
    """Whether two outputs differ at a valid timestep or in a final state."""
    differs = [(one.outputs != other.outputs) & valid, *(a != b for _, a, b in laws.states(one, other))]
    return any(bool(where.any()) for where in differs)


@pytest.mark.clause("9.6")
def test_everything_valid(check: Check) -> None:
    """A mask of which all timesteps are valid gives what no mask gives."""

    def examine(case: Case) -> bool:
        return check.judge(replace(case, pattern=""), check.run(case))

    laws.for_each(check, _KINDS, laws.maskings(["full"]), examine, return_state=check.offers("final state"))


@pytest.mark.clause("9.7", modes="main")
def test_alone_without_padding(check: Check) -> None:
    """A sequence of a padded batch gives, at its valid timesteps, what it gives alone and without padding."""

    def examine(case: Case) -> bool | None:
        assert case.mask is not None
        outputs = check.run(case).outputs
        valid = case.mask.sum(axis=1)
        # In a thrifty profile of two lengths, since each has to be compiled.
        lengths = (case.timesteps // 2, case.timesteps - 1) if check.profile.thrifty else range(case.timesteps)
        rows = np.flatnonzero(np.isin(valid, lengths))
        if not len(rows):
            return None
        row, valid = rows[0], case.mask[rows[0]]
        inputs = case.inputs[np.newaxis, row, valid]
        unpadded = replace(case.architecture, masking="none")
        alone = replace(case, architecture=unpadded, batch=1, timesteps=inputs.shape[1], pattern="")
        wanted = check.run(alone, weights=case.weights, inputs=inputs).outputs[0]
        check_finite("outputs of the sequence alone", wanted)

        (layer,), (weights,) = case.architecture.layers, case.weights.layers
        x = inputs.astype(np.float64)
        exact = expected_layer(layer, in_float64(weights), x, None, check.precision).outputs
        bound = 2 * exact.bound[0]  # both may be off by the bound, in different directions
        name = f"outputs[{row}, valid]"
        judgement = compare(name, outputs[row, valid], wanted.astype(np.float64), bound, check.dtype)
        check.evidence.add(judgement, case)
        return bool((np.abs(exact.value - exact.without_recurrence)[0] > bound).any())

    laws.for_each(check, ["layer"], laws.maskings(), examine, where=laws.is_short)
