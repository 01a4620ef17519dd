"""Clause 14.10 of SPEC.md: what is asked for has its effect, or is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.description import DTYPES
from rnn_conformance.adapters.numpy.adapter import adapter as right
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import in_direction
from rnn_conformance.conformance.cases.profiles import FLOAT32
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import GuardedNetwork, Subject, SubjectRaised
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.model.architecture import DIRECTIONS, MASKINGS, MERGES, Architecture, Embedding, Layer
from rnn_conformance.reference.model.states import flat
from rnn_conformance.reference.model.weights import Array

_FEATURES, _UNITS, _BATCH, _TIMESTEPS, _RATE = 3, 4, 3, 5, 0.5

_PLAIN_ACTIVATIONS = ("tanh", "relu", "linear", "sigmoid")

Shown = Sequence[Array]
"""What is seen of a model: arrays, some of which an option should change."""

Show = Callable[[GuardedNetwork, Case], Shown]
"""What a model that has its weights shows of a case."""


@dataclass(frozen=True)
class Option:
    """Something that can be asked for, and how to see what came of it.

    `name` tells it, and `feature` is what it needs of FEATURES, EXTRAS, dtypes and activations, if anything. The model
    is `of`, and `asking` the one that asks for it, where that is a matter of the model. `plain` and `asked` show what
    comes out without it and with it. `pattern` is that of the mask, where there is one.
    """

    name: str
    feature: str
    of: Architecture
    asking: Architecture
    plain: Show
    asked: Show
    pattern: str = ""


@pytest.mark.clause("14.10", modes="main", dtypes=FLOAT32, thrifty=())
def test_what_is_asked_for(check: Check) -> None:
    """Each option of a model or a call has an effect where it should; one that is declared lacking is refused."""
    sound = Subject(right)
    for option in _options(check):
        case = Case(option.asking, _BATCH, _TIMESTEPS, "unit", check.seed, option.pattern)
        check.every([case], partial(_examine, check, sound, option), wrong=option.name)


def _examine(check: Check, sound: Subject, option: Option, asking: Case) -> bool:
    plain = replace(asking, architecture=option.of, pattern="").with_arrays(replace(asking.arrays, mask=None))
    lacking = check.subject.description.lacks(option.feature)
    try:
        asked = _shown(check.subject, option.asked, asking)
    except (Unsupported, SubjectRaised):
        if not lacking:
            raise
        return True
    if not _alike(_shown(check.subject, option.plain, plain), asked):
        return True
    if lacking:
        raise NonConforming(f"accepted {option.name}, which it is said to lack ({lacking}), and ignored it")
    if not _alike(_shown(sound, option.plain, plain), _shown(sound, option.asked, asking)):
        raise NonConforming(f"accepted {option.name}, and gave the bits that it gives without")
    return False


def _shown(subject: Subject, show: Show, case: Case) -> Shown:
    """What a model shows of a case, in the main mode of the subject."""
    mode = subject.description.modes[0]
    network = subject.network(replace(case.architecture, mode=mode))
    network.load(case.weights)
    return show(network, case)


def _alike(one: Shown, other: Shown) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


# What a model shows


def _outputs(network: GuardedNetwork, case: Case) -> Shown:
    return [network.run(case.inputs, **case.given).outputs]


def _from_state(network: GuardedNetwork, case: Case) -> Shown:
    return [network.run(case.inputs, initial_state=case.initial_state).outputs]


def _with_states(network: GuardedNetwork, case: Case) -> Shown:
    output = network.run(case.inputs)
    return [output.outputs, *flat(output.final_state)]


def _second_call(network: GuardedNetwork, case: Case) -> Shown:
    if case.architecture.stateful:
        network.ask("reset")
    network.run(case.inputs)
    return [network.run(case.inputs).outputs]


def _in_training(network: GuardedNetwork, case: Case) -> Shown:
    return [network.ask("run_training", case.inputs, case.seed).outputs]


def _trained(network: GuardedNetwork, case: Case, rate: float) -> Shown:
    network.ask("train", case.inputs, case.cotangent.outputs, rate)
    return [array for _, array in network.weights().arrays()]


def _type(network: GuardedNetwork, case: Case) -> Shown:
    return [np.array(str(network.run(case.inputs).outputs.dtype))]


# What can be asked for


def _options(check: Check) -> Iterator[Option]:
    layer = Layer(_FEATURES, _UNITS, check.cells[0])
    model = Architecture((layer,), dtype=check.dtype, mode=check.mode)
    yield Option("an initial state", "initial state", model, model, _outputs, _from_state)
    last = replace(model, return_sequences=False)  # what outputs at padded timesteps are is a declared choice
    for masking in MASKINGS[1:]:
        yield Option(f"a call with {masking}", masking, last, replace(last, masking=masking), *_BOTH, "right")
    plain, masks_zero = (replace(last, embedding=Embedding(5, _FEATURES, mask_zero=m)) for m in (False, True))
    yield Option("an embedding that masks zero", "mask_zero", plain, masks_zero, *_BOTH, "gaps")
    for direction in DIRECTIONS[1:]:
        yield Option(f"a {direction} layer", direction, model, _turned(model, direction), *_BOTH)
    for merge in MERGES[1:]:
        added = _turned(model, "bidirectional", "sum" if merge != "sum" else "mul")
        joined = _turned(model, "bidirectional", merge)
        yield Option(f"two directions joined by {merge}", "merge modes", added, joined, *_BOTH)
    yield Option("the last output alone", "", model, last, *_BOTH)
    yield Option("final states", "final state", model, replace(model, return_state=True), _with_states, _with_states)
    keeps = replace(model, stateful=True, batch=_BATCH)
    yield Option("a state that is kept", "stateful", model, keeps, _second_call, _second_call)
    yield from _of_training(check, model)
    for name in ACTIVATIONS:
        other = replace(layer, cell=replace(layer.cell, activation=name))
        if other != layer and name in _PLAIN_ACTIVATIONS:
            yield Option(f"the activation {name}", name, model, replace(model, layers=(other,)), *_BOTH)
    for dtype in DTYPES:
        if dtype != check.dtype:
            yield Option(f"the type {dtype}", dtype, model, replace(model, dtype=dtype), _type, _type)


_BOTH = (_outputs, _outputs)


def _of_training(check: Check, model: Architecture) -> Iterator[Option]:
    """Rates of dropout, which some have between layers only, and of a step."""
    (layer,) = model.layers
    below = (layer,) if check.offers("stack") else ()
    last = replace(layer, features=_UNITS) if below else layer
    stack = replace(model, layers=(*below, last))
    for rate in ("dropout", "recurrent_dropout"):
        feature = rate.replace("_", " ")
        dropping = replace(stack, layers=(*below, replace(last, **dict[str, Any]({rate: _RATE}))))
        shown = _in_training if check.offers(feature) else _outputs
        yield Option(f"{feature} in training", feature, stack, dropping, _outputs, shown)
    if check.offers("training step"):
        step, longer = partial(_trained, rate=_RATE), partial(_trained, rate=2 * _RATE)
        yield Option("a step of training that is twice as long", "training step", model, model, step, longer)


def _turned(model: Architecture, direction: str, merge: str = "concat") -> Architecture:
    return replace(model, layers=in_direction(model.layers, direction, merge))
