"""From what happened in a check to its verdict."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases import Case
from rnn_conformance.conformance.check import Check
from rnn_conformance.conformance.deviations import Deviation
from rnn_conformance.conformance.journal import Item
from rnn_conformance.conformance.judging import NonConforming
from rnn_conformance.conformance.subject import SubjectExited
from rnn_conformance.reports.records import CheckRecord, Worst

_LARGEST_WITNESS = 400
"""Arrays with more elements than this are described in the witness, not written out: nobody would read them."""


def conclude(
    check: Check,
    function: Callable[[Check], None],
    item: Item,
    deviation: Deviation | None,
) -> CheckRecord:
    """Run the function of a check, described by `item`, and say what came out; `deviation` is the known one, if any."""
    start = time.perf_counter()
    details: dict[str, Any] = {}
    try:
        check.requires(item.dtype)
        function(check)
        if check.profile.until_time_is_up:
            _soak(check, function)
        verdict, message = "conforms", ""
    except Unsupported as reason:
        verdict, message = "unsupported", str(reason)
    except NonConforming as failure:
        verdict, message, details = "fails", str(failure), failure.details
        if failure.judgement:
            check.evidence.add(failure.judgement, check.evidence.failing_case)
    except SubjectExited as failure:
        verdict, message = "crashed", str(failure)
    except Exception:  # nothing of the subject's comes here unguarded, so this is an error of the suite
        verdict, message = "broken", traceback.format_exc()

    evidence, explanation = check.evidence, ""
    if verdict == "conforms" and not evidence.discriminating:
        verdict = "untrusted"
        message = f"none of {evidence.examples} examples could have told a wrong layer from a right one"
    if deviation is not None:
        if verdict == "fails":
            verdict, explanation = "deviation", deviation.explanation
        elif verdict != "broken":
            message = f"the known deviation {deviation.name!r} no longer occurs ({verdict}): correct its entry"
            verdict = "fails"
    failed = verdict in ("fails", "deviation", "crashed", "broken")
    case = evidence.failing_case if failed else None
    worst = evidence.worst
    return CheckRecord(
        **asdict(item),
        verdict=verdict,
        seconds=round(time.perf_counter() - start, 4),
        examples=evidence.examples,
        discriminating=evidence.discriminating,
        worst=None if worst is None else Worst(worst.ratio, worst.ulps, worst.where, str(evidence.worst_case or "")),
        message=message,
        case=str(case) if case else "",
        witness=dict(_witness(case, details)),
        deviation=deviation.name if deviation and verdict == "deviation" else "",
        reason=explanation,
    )


def _soak(check: Check, function: Callable[[Check], None]) -> None:
    """Run the check with one seed after another until its time is up."""
    end = time.monotonic() + check.seconds
    while time.monotonic() < end:
        check.seed += 1
        check.subject.forget()
        function(check)


def _witness(case: Case | None, details: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arrays of a case and what was returned, by name, ready for JSON."""
    if case is not None:
        yield "inputs", _readable(case.inputs)
        for name, array in case.weights.arrays():
            yield name, _readable(array)
        for k, (h,) in enumerate(case.initial_state):
            yield f"initial_state[{k}]", _readable(h)
    for name, value in details.items():
        yield name, _readable(value)


def _readable(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.size > _LARGEST_WITNESS:
        return f"{value.dtype} array of shape {value.shape}, beginning {value.ravel()[:8].tolist()}"
    return value.tolist()
