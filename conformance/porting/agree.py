"""Whether two models agree: each within its own bound, on its own inputs, both with the weights of the first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Call, Canonical, Porter, Survey
from rnn_conformance.adapters.exports.sessions import is_held, opened
from rnn_conformance.adapters.reading import porter_of
from rnn_conformance.conformance.porting.clauses import WEIGHTS
from rnn_conformance.conformance.porting.conform import (
    counted,
    judged,
    judged_or_told,
    named,
    notes_of,
    state_of,
    watched,
)
from rnn_conformance.conformance.porting.judge import Judged, LayerFailed
from rnn_conformance.conformance.porting.mistakes import mistakes
from rnn_conformance.conformance.porting.report import Report, report_of
from rnn_conformance.conformance.porting.same import difference
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.layers.masking import mask_of_lengths
from rnn_conformance.reference.model.calls import Output


@ignoring_flags
def agree(
    one: Any,
    other: Any,
    inputs: Any,
    other_inputs: Any = None,
    mask: Any = None,
    lengths: Any = None,
    initial_state: Any = None,
) -> tuple[Report, Report]:
    """Judge both; the arguments are those of `assert_agree`. Raises NonConforming."""
    porter, survey, calls, result = watched(one, inputs, mask, lengths, initial_state)
    first = judged(one, porter, survey, calls)
    theirs = inputs if other_inputs is None else other_inputs
    if is_session(other):
        return first, _session(other, survey, calls, theirs, mask, lengths, initial_state, porter)
    if isinstance(theirs, Mapping):  # of a model of ONNX by name: all that it is given is among them
        mask = lengths = initial_state = None
    porter, survey, its_calls, its_result = watched(other, theirs, mask, lengths, initial_state)
    if len(its_calls) != len(calls):
        told = f"the first model calls {_told(calls)}, the second {_told(its_calls)}: what is held against what?"
        raise LayerFailed(told, layer=calls[0].canonical, framework=porter.name)
    found: dict[str, list[list[Judged]]] = defaultdict(list)
    notes: dict[str, list[str]] = defaultdict(list)
    of_one = [call.canonical for call in calls]
    for mine, yours in zip(calls, its_calls, strict=True):
        path, of = yours.canonical.path, as_layer(mine.canonical, yours, porter.name)
        wrong = difference(of, yours.canonical)
        try:
            found[path].append(judged_or_told(yours, of, porter, of_one))
        except LayerFailed as failure:
            if not wrong:
                raise
            told = "" if "matches" in str(failure) else named_by_weights(mine.canonical, yours, of_one)
            raise failure.told(f"{failure}{told}; {wrong}") from None
        if wrong:
            told = f"{path or 'the layer'}: {wrong}{named_by_weights(mine.canonical, yours, of_one)}"
            raise LayerFailed(told, layer=yours.canonical, clauses=WEIGHTS, framework=porter.name)
        notes[path] += notes_of(yours)
    title = f"{named(other)}, in {counted(len(its_calls), 'call')}: agrees with {named(one)}"
    held = "What is read from it equals the weights of the first, up to biases that are merged or shifted."
    held += _between(list(zip(calls, its_calls, strict=True)), result, its_result)
    return first, report_of(title, porter.name, survey, dict(found), dict(notes), held)


def _between(calls: Sequence[tuple[Call, Call]], result: Any, its_result: Any) -> str:
    """How far apart what reached the layers of both is, and what came out of both: what lies between is not judged.

    A port that forgets a layer that is not recurrent, or a sum, shows here, and nowhere else.
    """
    told = []
    pairs = [_reached(mine, yours) for mine, yours in calls]
    if all(a.shape == b.shape for a, b in pairs):
        told.append(f"what reached its recurrent layers differs by at most {_apart(pairs):.2g} of its size")
    mine, yours = list(_arrays(result)), list(_arrays(its_result))
    if [a.shape for a in mine] == [b.shape for b in yours]:
        told.append(f"what came out of the whole model by {_apart(list(zip(mine, yours, strict=True))):.2g}")
    return f" Not judged, but told: {', and '.join(told)}." if told else ""


def _reached(mine: Call, yours: Call) -> tuple[Any, Any]:
    """The inputs of both; under a mask only what is valid, for beside it each framework puts out what it likes."""
    if mine.mask is None or yours.mask is None or not np.array_equal(mine.mask, yours.mask):
        return mine.inputs, yours.inputs
    return mine.inputs[mine.mask], yours.inputs[yours.mask]


def _apart(pairs: Sequence[tuple[Any, Any]]) -> float:
    """The largest difference of two arrays, as a share of the largest number in the first."""
    each = [(a.astype(np.float64), b.astype(np.float64)) for a, b in pairs]
    return max(float(np.abs(a - b).max(initial=0) / (np.abs(a).max(initial=0) or 1.0)) for a, b in each)


def _arrays(result: Any) -> Iterator[Any]:
    """Every array of what came out, in whatever it is nested."""
    if isinstance(result, np.ndarray):
        yield result
    elif isinstance(result, Mapping):
        for value in result.values():
            yield from _arrays(value)
    elif isinstance(result, tuple | list):
        for value in result:
            yield from _arrays(value)


def is_session(other: Any) -> bool:
    """Whether it is a function, whose weights nobody can read."""
    try:
        porter_of(other)
    except ValueError:
        return callable(other) or is_held(other)
    return False


def as_layer(canonical: Canonical, call: Call, framework: str) -> Canonical:
    """The layer of the first model, as the call of the second has it: joined and returned as there.

    Raises NonConforming where it is another layer.
    """
    mine, yours = canonical.architecture.layers, call.canonical.architecture.layers
    shapes = (
        [(a.features, a.units, a.cell.name, a.direction) for a in mine],
        [(b.features, b.units, b.cell.name, b.direction) for b in yours],
    )
    if shapes[0] != shapes[1]:
        each = f"{' -> '.join(map(str, yours))}, but should be {' -> '.join(map(str, mine))}"
        told = f"{call.canonical.path or 'the layer'} is {each}"
        raise LayerFailed(told, layer=call.canonical, clauses=WEIGHTS, framework=framework)
    layers = tuple(replace(a, merge=b.merge) for a, b in zip(mine, yours, strict=True))
    return replace(canonical, architecture=replace(canonical.architecture, layers=layers))


def named_by_weights(of: Canonical, yours: Call, others: Sequence[Canonical]) -> str:
    """The mistake that makes of the first layer's weights those of the second."""
    if len(of.architecture.layers) != 1:
        return ""
    found = [m for m in mistakes(of, yours, others) if m.call is yours and not difference(m.canonical, yours.canonical)]
    found = [m for m in found if difference(m.canonical, of)]
    return f' — matches "{found[0].sentence}". To change: {found[0].advice}' if found else ""


def _told(calls: Sequence[Call]) -> str:
    return f"{len(calls)} layers ({', '.join(call.canonical.path or 'the layer' for call in calls)})"


def _session(
    run: Callable[..., Any],
    survey: Survey,
    calls: Sequence[Call],
    inputs: Any,
    mask: Any,
    lengths: Any,
    initial_state: Any,
    porter: Porter,
) -> Report:
    """A function of the same arguments is one layer, or nothing can be seen in it."""
    if len(calls) != 1 or survey.others or survey.layers[0].path:
        raise ValueError(
            "of a function only what comes out is seen: it is held against a single recurrent layer, and not a model"
        )
    (call,) = calls
    started = None if initial_state is None else state_of(initial_state, call.canonical)
    if is_held(run):
        run, initial_state = opened(run, call.canonical), started
    name = getattr(run, "__name__", type(run).__name__)
    given = {"mask": mask, "lengths": lengths, "initial_state": initial_state}
    result = run(inputs, **{name: value for name, value in given.items() if value is not None})
    outputs = np.asarray(result[0] if isinstance(result, tuple) else result)
    final = state_of(result[1], call.canonical) if isinstance(result, tuple) else None
    if lengths is not None:
        mask = mask_of_lengths(np.asarray(lengths), call.inputs.shape[1])
    x = call.inputs if np.shape(inputs) != call.inputs.shape else np.asarray(inputs, call.inputs.dtype)
    its = replace(
        call,
        inputs=x,
        output=Output(outputs, final),
        mask=mask,
        initial_state=started,
        is_last=outputs.ndim == 2,
        not_seen="",
    )
    found = _in_its_way(its, call.canonical, replace(porter, name=name))
    held = "Its weights cannot be read: it was judged with those of the first."
    return report_of(f"{name} agrees with the layer", name, survey, {call.canonical.path: [found]}, {}, held)


def _in_its_way(call: Call, of: Canonical, porter: Porter) -> list[Judged]:
    """What was judged of a function, which may put out at padded timesteps whatever a framework does.

    Raises NonConforming where it is right in none of these ways: the failure that looks like something, or the first.
    """
    own = call.canonical.choices.padded_outputs
    ways = [own] if call.mask is None else [own, *(way for way in ("zero", "repeat", "continue") if way != own)]
    failures = []
    for way in ways:
        choices = replace(call.canonical.choices, padded_outputs=way)
        try:
            return judged_or_told(replace(call, canonical=replace(call.canonical, choices=choices)), of, porter)
        except LayerFailed as failure:
            failures.append(failure)
    raise next((failure for failure in failures if "matches" in str(failure)), failures[0])
