"""Wrong gradients, tried on the reference: each is noticed, and recognised as what it is."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from layers import canonical_of

from rnn_conformance.adapters.canonical import Call
from rnn_conformance.conformance.porting.gradient_mistakes import explain, mistakes
from rnn_conformance.conformance.porting.gradients import drawn, expectations
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Output

PRECISION = standard_precision("float32")
CELLS = [SimpleRnn(), Lstm(recurrent_bias="all"), Gru(), Gru(reset="before", recurrent_bias="none", keep="1-z")]


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("direction", ["forward", pytest.param("bidirectional", marks=pytest.mark.slow)])
def test_wrong_gradients_are_recognised(cell: Cell, direction: str) -> None:
    """What each mistake makes of the gradients is beyond the right bounds, and named; and right ones are not."""
    rng = np.random.default_rng(0)
    canonical = canonical_of(Layer(3, 4, cell, direction=direction))
    x = rng.normal(size=(3, 5, 3)).astype(np.float32)
    parts = tuple(rng.normal(size=(3, 4)).astype(np.float32) for _ in cell.parts)
    state = (tuple(parts for _ in range(1 + (direction == "bidirectional"))),)
    call, cotangent = Call(canonical, x, Output(x), state), drawn(canonical, 3, 5)
    differentiated = partial(expectations, call, PRECISION)
    right = differentiated(canonical, cotangent)

    every = list(mistakes(canonical, cotangent, right, differentiated, PRECISION))
    assert len({mistake.sentence for mistake in every}) == len(every)
    orders = [mistake for mistake in every if "in the order" in mistake.sentence]
    others = [mistake for mistake in every if mistake not in orders]
    for mistake in [*others, *orders[::8]]:
        given = {name: expected.value.astype(np.float32) for name, expected in mistake.expected().items()}
        assert given.keys() == right.keys()
        wrong = [name for name in right if (np.abs(given[name] - right[name].value) > right[name].bound).any()]
        assert wrong, mistake.sentence
        told = explain(given, wrong[0], iter(every))
        assert f'"{mistake.sentence}"' in told, (mistake.sentence, told)

    given = {name: expected.value.astype(np.float32) for name, expected in right.items()}
    assert explain(given, "inputs", iter(every)) == ""
    given["inputs"] = given["inputs"] + np.float32(0.01)
    assert explain(given, "inputs", iter(every)) == ""
