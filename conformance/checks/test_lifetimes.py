"""Clauses 8.5 to 8.7 of SPEC.md: what was handed out stays, and neither another model nor a refused call disturbs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import KINDS
from rnn_conformance.conformance.cases.profiles import FLOAT32
from rnn_conformance.conformance.checks.crossing import UNROLLED
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.checks.refusals import attempt
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import GuardedNetwork, SubjectRaised
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import each_state, state_arrays
from rnn_conformance.reference.model.weights import Array

Named = Iterator[tuple[str, Array]]

_THREADS_CALLS = 20
"""So many calls of each of two models at a time: with fewer, one could be done before the other begins."""


@pytest.mark.clause("8.5", modes="main", dtypes=FLOAT32)
def test_what_is_handed_out_stays(check: Check) -> None:
    """Outputs, states, gradients and weights stay as they were whatever is called, differentiated or loaded later."""
    twins = check.subject.anew()  # other models of the same shapes

    def examine(case: Case) -> bool:
        subject = check.network(case)
        handed = [(name, array, array.copy()) for name, array in _everything(check, subject, case)]
        for model in (*([] if check.profile.thrifty else [twins.network(case.architecture)]), subject):
            other = case.next()
            for again in (other, other.next()):
                model.load(again.weights)
                for _ in _everything(check, model, again):
                    for name, array, before in handed:
                        same_bits(f"{name}, later", array, before, "it was returned earlier")
        return all(before.any() for name, _, before in handed if "outputs" in name)

    check.every(_cases(check, ("layer",) if check.profile.thrifty else KINDS), examine)


def _everything(check: Check, model: GuardedNetwork, case: Case) -> Named:
    """What a model with the weights of the case hands out, one after another."""
    given = _given(check, case)
    output = model.run(case.inputs, **given)
    yield "outputs", output.outputs
    yield from state_arrays("final_state", output.final_state)
    if check.offers("gradients"):
        gradients = model.gradients(case.inputs, case.cotangent, **given)
        yield from ((f"gradient of {name}", array) for name, array in gradients.arrays())
    yield from model.weights().arrays()


def _cases(check: Check, kinds: tuple[str, ...]) -> Iterator[Case]:
    return few_cases(check, kinds, return_state=check.offers("final state"))


def _given(check: Check, case: Case) -> dict[str, Any]:
    return {"initial_state": case.initial_state} if check.offers("initial state") else {}


@pytest.mark.clause("8.6", modes="main", dtypes=FLOAT32)
def test_models_in_turn(check: Check) -> None:
    """A model gives the same bits after another of the same shape was loaded, called and differentiated."""
    twins = check.subject.anew()

    def examine(case: Case) -> bool:
        other = case.next()
        one, given = check.network(case), _given(check, case)
        before = one.run(case.inputs, **given).outputs.copy()
        two, given_two = twins.network(case.architecture), _given(check, other)
        two.load(other.weights)
        alone = two.run(other.inputs, **given_two).outputs.copy()
        for turn in range(2):
            again = one.run(case.inputs, **given).outputs
            same_bits(f"outputs of the first model in turn {turn}", again, before, _ALONE)
            if check.offers("gradients"):
                one.gradients(case.inputs, case.cotangent, **given)
            again = two.run(other.inputs, **given_two).outputs
            same_bits(f"outputs of the second model in turn {turn}", again, alone, _ALONE)
        for (name, array), (_, loaded) in zip(one.weights().arrays(), case.weights.arrays(), strict=True):
            same_bits(f"{name} of the first model", array, loaded, "it was loaded there")
        return bool((before != alone).any())

    check.every(_cases(check, ("layer",) if check.profile.thrifty else KINDS), examine)


_ALONE = "so it was when no other model was called"


@pytest.mark.clause("8.6", modes="main", dtypes=FLOAT32, thrifty=())
def test_models_in_two_threads(check: Check) -> None:
    """Two models of the same shape, each called in a thread of its own, give the bits that they give alone."""
    twins = check.subject.anew()

    def examine(case: Case) -> bool:
        models = check.network(case), twins.network(case.architecture)
        cases = case, case.next()
        models[1].load(cases[1].weights)
        alone = [model.run(each.inputs).outputs.copy() for model, each in zip(models, cases, strict=True)]
        begin = Barrier(len(models))

        def call(model: GuardedNetwork, each: Case, wanted: Array) -> None:
            begin.wait(timeout=60)
            for number in range(_THREADS_CALLS):
                same_bits(f"outputs of call {number} in a thread", model.run(each.inputs).outputs, wanted, _ALONE)

        with ThreadPoolExecutor(len(models)) as threads:
            for done in [threads.submit(call, *each) for each in zip(models, cases, alone, strict=True)]:
                done.result()
        return bool((alone[0] != alone[1]).any())

    check.every(_cases(check, ("layer", "stack")), examine)


@pytest.mark.clause("8.7", modes="main", dtypes=FLOAT32)
def test_calls_after_a_refused_one(check: Check) -> None:
    """Inputs, a state, lengths or a mask that were refused leave the model as it was."""
    refused: set[str] = set()

    def examine(case: Case) -> bool:
        model = check.network(case)
        before = model.run(case.inputs, **case.given).outputs.copy()
        for name, call in _wrong_calls(check, model, case):
            if isinstance(attempt(call), SubjectRaised):
                refused.add(name)
                after = model.run(case.inputs, **case.given).outputs
                same_bits(f"outputs after {name} was refused", after, before, "the call is the same as before")
        return bool(refused) and bool(before.any())

    masking = next((kind for kind in ("lengths", "mask") if check.offers(kind) and not check.profile.thrifty), "")
    check.every(_cases(check, ("layer",)), examine)
    if masking:
        pattern = {"lengths": "right", "mask": "gaps"}[masking]
        check.every(few_cases(check, ("layer",), masking=masking, pattern=pattern), examine)
    else:
        check.skip_search()
    check.every(() if check.profile.thrifty else _in_each_way(check), examine, wrong="a call before")
    check.evidence.measured["refused"] = sorted(refused)


def _in_each_way(check: Check) -> Iterator[Case]:
    """A layer in each further way to run it."""
    case = next(few_cases(check, ("layer",)))
    for way in check.subject.description.ways:
        timesteps = case.timesteps if way == UNROLLED else None
        yield replace(case, architecture=replace(case.architecture, mode=way, timesteps=timesteps))


def _wrong_calls(check: Check, model: GuardedNetwork, case: Case) -> Iterator[tuple[str, Any]]:
    """Calls that do not fit the model, each with what is wrong about it."""
    inputs = np.concatenate([case.inputs, case.inputs[..., :1]], axis=-1)
    yield "an input with a feature too many", partial(_call, model, inputs, case.given)
    if check.offers("initial state"):
        state = each_state(lambda h: np.concatenate([h, h[:, :1]], axis=1), case.initial_state)
        yield "an initial state with a unit too many", partial(_call, model, case.inputs, {"initial_state": state})
    for name, array in case.given.items():
        yield f"{name} for a sequence too many", partial(_call, model, case.inputs, {name: np.repeat(array, 2, axis=0)})


def _call(model: GuardedNetwork, inputs: Array, given: Mapping[str, Any]) -> Output:
    return model.run(inputs, **given)
