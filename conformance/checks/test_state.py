"""Chapter 3 of SPEC.md: state (clause 3.1 is checked with the recurrence, in test_values.py)."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.candidates import adding_up, hands_on
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import DTYPES, GATED, SIMPLE_RNN
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import LayerWeights, Weights


@pytest.mark.clause("3.2", thrifty=DTYPES)
def test_initial_state(check: Check) -> None:
    """A given initial state is where the recurrence starts, in every layer of a model."""
    check.requires("initial state")

    def examine(case: Case) -> bool:
        return check.judge(case, check.run(case, initial_state=case.initial_state), from_given_state=True)

    check.for_all(("layer", "stack"), examine, return_state=True)


@pytest.mark.clause("3.3", thrifty=DTYPES)
def test_final_state(check: Check) -> None:
    """The final state of each layer is its last output; for the last layer, of which both are seen, to the bit."""
    check.requires("final state")

    def examine(case: Case) -> bool:
        output = check.run(case)
        discriminates = check.judge(case, output)
        assert output.final_state is not None  # judge has seen to it
        ((h, *_),) = output.final_state[-1]
        same_bits("final_state[-1]", h, output.outputs[:, -1], "it is the last output")
        return discriminates

    check.for_all(("layer", "stack"), examine, return_state=True)


@pytest.mark.clause("3.4")
def test_splitting_a_sequence(check: Check) -> None:
    """The second part of a sequence, started from the final state of the first, continues the whole."""
    check.requires("initial state")
    check.requires("final state")

    def examine(case: Case) -> bool:
        split = _split(case)
        first = replace(case, timesteps=split)
        output = check.run(first, weights=case.weights, inputs=case.inputs[:, :split])
        rest = check.run(case, inputs=case.inputs[:, split:], initial_state=output.final_state).outputs
        whole = Output(np.concatenate([output.outputs, rest], axis=1))
        return _judge_whole(check, case.returning(sequences=True), whole, split)

    check.for_all("layer", examine, return_state=True, where=laws.has_parts, few=True)
    if check.offers("stack") and not check.profile.thrifty:
        check.for_all("stack", examine, return_state=True, where=laws.is_short)


def _split(case: Case) -> int:
    """Where to split a sequence: near an end, or in the middle.

    Each length has to be compiled, so a structure is always split into the same two, which take turns to be first.
    """
    units = case.architecture.layers[0].units
    part = 1 if case.timesteps > 4 and (case.timesteps + units) % 2 else case.timesteps // 2
    return part if case.seed % 2 else case.timesteps - part


def _judge_whole(check: Check, case: Case, whole: Output, split: int) -> bool:
    """Judge the outputs of two calls as those of one; whether a second call that started from zeros would show."""
    check.judge(case, whole)
    parts = (case.inputs[:, :split], case.inputs[:, split:])
    restarted = [network.run(case.architecture, case.weights, part).outputs for part in parts]
    return laws.tells(check, case, Output(np.concatenate(restarted, axis=1)), "valid outputs")


@pytest.mark.clause("3.5")
def test_each_call_starts_anew(check: Check) -> None:
    """A call gives the same bits before and after a call with other inputs: no state is left over."""

    def examine(case: Case) -> bool:
        network = check.network(case)
        before = network.run(case.inputs).outputs.copy()
        between = network.run(case.next().inputs).outputs
        after = network.run(case.inputs).outputs
        same_bits("outputs after another call", after, before, "inputs, weights and initial state are the same")
        return bool(between.any())

    check.for_all(("layer", "stack"), examine)


@pytest.mark.clause("3.6")
def test_zeros_for_initial_state(check: Check) -> None:
    """An initial state of zeros gives the bits that no initial state gives."""
    check.requires("initial state")
    state = check.offers("final state")
    check.for_all(("layer", "stack"), partial(_zeros_or_none, check), return_state=state)


@pytest.mark.clause("3.6", "10.1", modes="main", dtypes=("float32",))
def test_zeros_for_initial_states_of_directions(check: Check) -> None:
    """In backward and bidirectional layers, too, initial states of zeros give the bits that none give."""
    check.requires("initial state")
    state, examine = check.offers("final state"), partial(_zeros_or_none, check)
    laws.for_each(check, ["layer"], laws.TURNED, examine, where=laws.is_short, return_state=state)


def _zeros_or_none(check: Check, case: Case) -> bool:
    """Compare a call that is given zeros with one that is given nothing; whether other states would have shown."""
    zeros = each_state(np.zeros_like, case.initial_state)
    without, output = check.run(case), check.run(case, initial_state=zeros)
    why = "the initial state is zero, given or not"
    same_bits("outputs", output.outputs, without.outputs, why)
    for name, actual, wanted in laws.states(output, without):
        same_bits(name, actual, wanted, why)
    return bool((check.run(case, initial_state=case.initial_state).outputs != without.outputs).any())


@pytest.mark.clause("3.7")
def test_stateful_calls(check: Check) -> None:
    """The parts of a sequence, given to a stateful model in two calls, have the outputs of the whole."""
    check.requires("stateful")

    def examine(case: Case) -> bool:
        split = _split(case)
        subject = check.network(case)
        subject.ask("reset")
        first = subject.run(case.inputs[:, :split]).outputs.copy()
        whole = np.concatenate([first, subject.run(case.inputs[:, split:]).outputs], axis=1)
        return _judge_whole(check, case, Output(whole), split)

    check.for_all(("layer", "stack"), examine, where=laws.has_parts, stateful=True, few=True, return_state=False)


@pytest.mark.clause("3.8")
def test_reset(check: Check) -> None:
    """After a reset, a stateful model starts from zeros, as it did before its first call."""
    check.requires("stateful")

    def examine(case: Case) -> bool:
        subject = check.network(case)
        subject.ask("reset")
        first = Output(subject.run(case.inputs).outputs.copy())
        second = subject.run(case.inputs).outputs.copy()
        subject.ask("reset")
        third = subject.run(case.inputs).outputs
        check.judge(case, first)
        same_bits("outputs after a reset", third, first.outputs, "so did the model start before")
        return bool((second != first.outputs).any())

    check.for_all(("layer", "stack"), examine, where=laws.has_parts, stateful=True, few=True, return_state=False)


@pytest.mark.clause("3.7", "3.8", modes="main", dtypes=("float32",), cells=SIMPLE_RNN)
def test_stateful_masks_and_directions(check: Check) -> None:
    """A stateful model carries on from the last valid timestep, each of its directions from a state of its own."""
    _carried_on(check, lambda case: case)


@pytest.mark.clause("3.7", "3.8", modes="main", dtypes=("float32",), thrifty=(), cells=GATED)
def test_stateful_gates(check: Check) -> None:
    """So does one of gated cells, of which h is carried on in some units, and of an LSTM c in the others."""
    if not any(map(_stays_whole, check.cells)):
        raise Unsupported(f"no {check.cell} of the adapter has a sigmoid for its gates, and relu or linear elsewhere")
    _carried_on(check, _wired, bias=True, where=lambda each: laws.is_short(each) and _stays_whole(each.layers[0].cell))


def _stays_whole(cell: Cell) -> bool:
    """Whether whole numbers stay whole in a cell whose gates are held open or shut.

    With a hard sigmoid they may not, where a compiler merges it with what it multiplies: a matter of chapter 7.
    """
    return hands_on(cell) and cell.activations["gate"] == "sigmoid"


def _wired(case: Case) -> Case:
    """The case with gates held open or shut."""
    (layer,), (kept,) = case.architecture.layers, case.weights.layers
    weights = Weights((LayerWeights.of([adding_up(layer, each) for each in kept.directions]),))
    return case.with_arrays(replace(case.arrays, weights=weights))


def _carried_on(check: Check, prepared: Callable[[Case], Case], **how: Any) -> None:
    check.requires("stateful")
    choices = check.subject.description.choices
    left: dict[Architecture, State | None] = {}  # by the last call of each model

    def examine(drawn: Case) -> Set[str]:
        case = prepared(drawn)
        architecture = replace(case.architecture, return_state=True)
        subject = check.network(case)
        subject.ask("reset")
        state = None
        for number, call in enumerate((drawn, drawn.next(), drawn.next().next())):
            right = partial(network.run, architecture, case.weights, call.inputs, mask=call.mask, choices=choices)
            expected, alone = right(state), right()
            at = laws.shows_valid(call, choices)[..., np.newaxis]
            outputs = np.where(at, subject.run(call.inputs, **call.given).outputs, expected.outputs)
            same_bits(f"outputs of call {number}", outputs, expected.outputs, "every sum is exactly representable")
            if number == 0:  # without the reset, it would go on from there
                on = right(left.get(case.architecture)).outputs
                told = {"3.8"} if ((on != expected.outputs) & at).any() else set()
            state = expected.final_state
        left[case.architecture] = state
        return told | ({"3.7"} if ((alone.outputs != expected.outputs) & at).any() else set())

    # Small whole numbers in a single layer leave no room for rounding, however long two calls are.
    exact: dict[str, Any] = {"regimes": ["integers"], "activations": ["relu", "linear"], "stateful": True}
    laws.for_each(
        check, ["layer"], [*laws.maskings(), *laws.TURNED], examine, **{"where": laws.is_short, **exact, **how}
    )
