"""Whether the recurrent layers of a user's own model compute what they should, on the user's own data."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Call, Canonical, Porter, Survey
from rnn_conformance.adapters.reading import porter_of
from rnn_conformance.conformance.porting.gradients import judged_gradients
from rnn_conformance.conformance.porting.judge import Judged, LayerFailed, judge_call
from rnn_conformance.conformance.porting.naming import explain
from rnn_conformance.conformance.porting.report import Report, report_of
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.model.states import State

NOTHING = "no recurrent layer of it was called: there is nothing to judge"


@ignoring_flags
def conform(
    model: Any,
    inputs: Any,
    mask: Any = None,
    lengths: Any = None,
    initial_state: Any = None,
    gradients: bool = False,
) -> Report:
    """Judge every call of every recurrent layer; the arguments are those of `assert_conforms`. Raises NonConforming."""
    porter, survey, calls, _ = watched(model, inputs, mask, lengths, initial_state)
    return judged(model, porter, survey, calls, gradients)


def judged(model: Any, porter: Porter, survey: Survey, calls: Sequence[Call], gradients: bool = False) -> Report:
    """The report on the calls that were seen of a model. Raises NonConforming."""
    found: dict[str, list[list[Judged]]] = defaultdict(list)
    notes: dict[str, list[str]] = defaultdict(list)
    for call in calls:
        found[call.canonical.path].append(judged_or_told(call, call.canonical, porter, survey.layers))
        notes[call.canonical.path] += notes_of(call)
    wanted = survey.layers if gradients else ()
    of_gradients = tuple(judged_gradients(model, porter, canonical, calls) for canonical in wanted)
    title = f"{named(model)}: {counted(len(calls), 'call')} of {counted(len(found), 'recurrent layer')}: conforms"
    return replace(report_of(title, porter.name, survey, dict(found), dict(notes)), gradients=of_gradients)


def named(model: Any) -> str:
    """The name of its file, or of its class; one of Linen comes with its variables."""
    model = model[0] if isinstance(model, tuple) else model
    return os.path.basename(model) if isinstance(model, str | os.PathLike) else type(model).__name__


def counted(count: int, what: str) -> str:
    """So many of these."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def watched(
    model: Any, inputs: Any, mask: Any = None, lengths: Any = None, initial_state: Any = None
) -> tuple[Porter, Survey, list[Call], Any]:
    """The calls of a model's recurrent layers, and what came out of it.

    Raises ValueError where there are none, or for what it cannot take.
    """
    porter = porter_of(model)
    survey = porter.survey(model, Arguments(inputs))
    is_bare = [layer.path for layer in survey.layers] == [""]
    if not is_bare and any(given is not None for given in (mask, lengths, initial_state)):
        raise ValueError(
            "mask, lengths and initial_state are those of a single recurrent layer; a model has its own from its inputs"
        )
    state = state_of(initial_state, survey.layers[0]) if is_bare and initial_state is not None else None
    calls, result = porter.watch(model, survey, Arguments(inputs, state, lengths, mask))
    if not calls:
        raise ValueError("; ".join([NOTHING, *map(str, survey.refused)]))
    return porter, survey, calls, result


def judged_or_told(call: Call, of: Canonical, porter: Porter, others: Sequence[Canonical] = ()) -> list[Judged]:
    """What was judged of a call. Raises LayerFailed, with the mistakes that it looks like."""
    precision = porter.precision(of.architecture.dtype)
    try:
        return judge_call(call, precision, of)
    except LayerFailed as failure:
        looks_like = explain(call, of, precision, others)
        raise failure.told(" — ".join(filter(None, (str(failure), looks_like))), porter.name) from None


def notes_of(call: Call) -> list[str]:
    """Why something of a call is not proven as sharply as it could be."""
    return [call.not_seen] if call.not_seen else []


def state_of(given: Any, canonical: Canonical) -> State:
    """A state as it is nested by layer, direction and part, of one that may be h alone, or (h, c).

    Raises ValueError for one that is neither.
    """
    layer = canonical.architecture.layers[0]
    parts = len(layer.cell.parts)
    if isinstance(given, np.ndarray) or hasattr(given, "shape"):
        given = (given,)
    if all(hasattr(part, "shape") for part in given):
        if layer.is_bidirectional or len(canonical.architecture.layers) > 1 or len(given) != parts:
            raise ValueError(
                f"an initial state of {len(given)} arrays, but {canonical.architecture} has {parts} in each direction: "
                "nest them by layer, by direction and by part"
            )
        given = ((tuple(given),),)
    return tuple(tuple(tuple(np.asarray(part) for part in parts) for parts in layer) for layer in given)
