"""What a cell of the matrix can say: each verdict with its meaning, its symbol and its gravity."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rnn_conformance.reports.records.records import VERDICTS, CheckRecord, Worst

MISSING = "missing"
NOT_RUN = "not run"

MEANINGS = {
    **VERDICTS,
    MISSING: "the run was cut short before this was checked",
    NOT_RUN: "no check of this was asked for",
}
"""What a cell of the matrix can say, with what it means."""

SYMBOLS = {
    "conforms": "✓",
    "deviation": "△",
    "fails": "✗",
    "observed": "◦",
    "untrusted": "?",
    "unsupported": "–",  # noqa: RUF001 - an en dash is wide enough to be seen
    "crashed": "↯",
    "timed out": "…",
    "broken": "⊘",
    MISSING: "○",
    NOT_RUN: "·",
}

SEVERITY = (
    "broken",
    "crashed",
    "timed out",
    "fails",
    "untrusted",
    MISSING,
    "deviation",
    "conforms",
    "observed",
    "unsupported",
    NOT_RUN,
)
"""The gravest first. A clause of which a part is unsupported conforms if the rest does."""

PROBLEMS = ("broken", "crashed", "timed out", "fails", "untrusted")
"""The verdicts that want somebody's attention."""


def gravest(verdicts: Iterable[str]) -> str:
    """The verdict that speaks for all; none at all have not run."""
    return min(verdicts, key=SEVERITY.index, default=NOT_RUN)


def worst(records: Iterable[CheckRecord]) -> Worst | None:
    """The worst error of all; NaN is the worst there is."""
    found = [record.worst for record in records if record.worst is not None]
    return max(found, key=lambda each: math.inf if math.isnan(each.ratio) else each.ratio, default=None)
