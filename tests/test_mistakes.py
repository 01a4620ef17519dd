"""Wrong ports, tried on the reference: each is noticed, and each is recognised as what it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from layers import canonical_of

from rnn_conformance.adapters.canonical import Call, Canonical
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.porting.judge import judge_call
from rnn_conformance.conformance.porting.mistakes import Mistake, mistakes
from rnn_conformance.conformance.porting.naming import recognise
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers.layer import run_layer
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import each_state
from rnn_conformance.reference.model.weights import in_float64

PRECISION = standard_precision("float32")


def run(canonical: Canonical, call: Call) -> Output:
    """What the reference gives for a call, in float32."""
    (layer,), weights = canonical.architecture.layers, in_float64(canonical.weights)
    state = each_state(lambda part: part.astype(np.float64), call.initial_state)
    choices = call.canonical.choices
    outputs, final = run_layer(layer, weights.layers[0], call.inputs, state[0] if state else None, call.mask, choices)
    return Output(outputs.astype(np.float32), (each_state(lambda part: part.astype(np.float32), (final,))[0],))


def call_of(cell: Cell, direction: str = "forward", *, masked: bool = False, started: bool = True) -> Call:
    """A right one, of five sequences of six timesteps."""
    rng = np.random.default_rng(1)
    canonical = canonical_of(Layer(4, 4, cell, direction=direction), path="encoder")
    x = rng.normal(size=(5, 6, 4)).astype(np.float32)
    parts = tuple(rng.normal(size=(5, 4)).astype(np.float32) for _ in cell.parts)
    each = 2 if direction == "bidirectional" else 1
    state = (tuple(tuple(part + k for part in parts) for k in range(each)),) if started else None
    mask = np.arange(6) < np.array([6, 4, 5, 2, 3])[:, np.newaxis] if masked else None
    call = Call(canonical, x, Output(x), state, mask)
    return replace(call, output=run(canonical, call))


def made_by(mistake: Mistake, right: Call) -> Call:
    """The call as a layer with this mistake would show it: what the mistake turns round is turned back."""
    output = run(mistake.canonical, mistake.call)
    if mistake.call.output is not right.output:
        shown = replace(right, output=output)
        again = next(m for m in mistakes(right.canonical, shown) if m.sentence == mistake.sentence)
        output = again.call.output
    return replace(right, output=replace(output, final_state=output.final_state or right.output.final_state))


CASES = {
    "lstm": call_of(Lstm(recurrent_bias="all")),
    "lstm, one bias": call_of(Lstm(), started=False),
    "lstm, both directions": call_of(Lstm(), "bidirectional", masked=True),
    "gru": call_of(Gru(), masked=True),
    "gru backwards": call_of(Gru(recurrent_bias="none"), "backward", started=False),
}


def assert_recognised(right: Call, some: slice) -> list[str]:
    """These mistakes are beyond the bounds of the right layer, and within those of the layer that has them."""
    assert all(judged.judgement.ratio <= 1 for judged in judge_call(right, PRECISION))
    sentences = []
    every = [m for m in mistakes(right.canonical, right) if "batch and timesteps" not in m.sentence]
    for mistake in every[some]:
        wrong = made_by(mistake, right)
        with pytest.raises(NonConforming):
            judge_call(wrong, PRECISION)
        found = [each.sentence for each in recognise(wrong, right.canonical, PRECISION)]
        assert mistake.sentence in found, (mistake.sentence, found)
        assert len(found) <= 3, (mistake.sentence, found)
        sentences.append(mistake.sentence)
    return sentences


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_mistakes_are_recognised(name: str) -> None:
    """Some of them; `slow` has more."""
    assert len(assert_recognised(CASES[name], slice(-1, None, -40))) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_many_mistakes_are_recognised(name: str) -> None:
    """Those that threads tell of, and orders of the gates: every fifth of all, since each is held against all."""
    told = assert_recognised(CASES[name], slice(None, None, 5))
    assert len(set(told)) == len(told) >= 8


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "gru" else pytest.mark.slow) for name in CASES]
)
def test_a_right_layer_looks_like_none(name: str) -> None:
    """Nothing that is right is within the bounds of a mistake."""
    right = CASES[name]
    assert list(recognise(right, right.canonical, PRECISION)) == []


def test_what_is_no_known_mistake() -> None:
    """It is noticed, and not named."""
    right = CASES["gru"]
    outputs = right.output.outputs + np.float32(1e-3)
    wrong = replace(right, output=Output(outputs, right.output.final_state))
    with pytest.raises(NonConforming, match=r"encoder, sequence \d, timestep \d, unit \d"):
        judge_call(wrong, PRECISION)
    assert list(recognise(wrong, right.canonical, PRECISION)) == []
