"""What a failure looks like: the mistakes within whose bounds the call is that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from rnn_conformance.adapters.canonical import Call, Canonical
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.porting.judge import judge_call
from rnn_conformance.conformance.porting.mistakes import Mistake, mistakes
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.model.states import each_state

_FIRST = 24
"""So many timesteps are tried first, of two sequences: a wrong guess shows in them."""

_SHOWN = 3


def explain(call: Call, of: Canonical, precision: Precision, others: Sequence[Canonical] = ()) -> str:
    """The mistakes that a call looks like, with what to change; empty where it looks like none that is known."""
    found = list(recognise(call, of, precision, others))
    if not found:
        return ""
    told = ", or ".join(f'"{mistake.sentence}"' for mistake in found[:_SHOWN])
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"matches {told}{more}. To change: {found[0].advice}"


def recognise(call: Call, of: Canonical, precision: Precision, others: Sequence[Canonical] = ()) -> Iterator[Mistake]:
    """Every mistake within whose bounds all of the call is."""
    for mistake in mistakes(of, call, others):
        if is_within(_beginning(mistake.call), mistake.canonical, precision) and is_within(
            mistake.call, mistake.canonical, precision
        ):
            yield mistake


def is_within(call: Call, of: Canonical, precision: Precision) -> bool:
    """Whether the call is within the bounds of that layer; a bound that says nothing proves nothing."""
    try:
        return all(judged.is_proven for judged in judge_call(call, precision, of))
    except NonConforming:
        return False


def _beginning(call: Call) -> Call:
    """Two sequences and a few timesteps of a call that ran from its beginning; the whole of any other."""
    layer = call.canonical.architecture.layers[0]
    rows = slice(0, 2)
    state = each_state(lambda part: part[rows], call.initial_state)
    mask = None if call.mask is None else call.mask[rows]
    final = each_state(lambda part: part[rows], call.output.final_state)
    output = replace(call.output, outputs=call.output.outputs[rows], final_state=final)
    few = replace(call, inputs=call.inputs[rows], output=output, initial_state=state, mask=mask)
    if call.is_last or mask is not None or layer.direction != "forward" or call.inputs.shape[1] <= _FIRST:
        return few
    outputs = np.ascontiguousarray(output.outputs[:, :_FIRST])
    return replace(few, inputs=few.inputs[:, :_FIRST], output=replace(output, outputs=outputs, final_state=None))
