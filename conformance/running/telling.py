"""What is said of an adapter that is not as it should be, in words for the one who wrote it."""

from __future__ import annotations

import re
from dataclasses import replace

from rnn_conformance.conformance.inspecting.hints import hint
from rnn_conformance.conformance.inspecting.inspection import Mistake
from rnn_conformance.reports.records.records import CheckRecord

_EXIT = re.compile(r"called sys\.exit\((the program of .*)\) in \w+", re.DOTALL)
_BEGIN, _END = "---- what is wrong with the adapter", "----"


def in_plain_words(record: CheckRecord) -> CheckRecord:
    """The same record, whose messages say what happened to a program, and what to do about an answer that is none."""
    further = [replace(each, message=_plain(each.message)) for each in record.further]
    return replace(record, message=_plain(record.message), further=further)


def _plain(message: str) -> str:
    told = hint(message)
    return _EXIT.sub(r"\1", message) + (f" ({told})" if told else "")


def as_block(name: str, mistake: Mistake) -> str:
    """What is wrong with an adapter that does not work at all, as lines of a log that `in_block` finds."""
    more = f"`rnn-conformance check-adapter {name}` tries each of its methods"
    return "\n".join(filter(None, (_BEGIN, mistake.what, mistake.where, mistake.traceback, more, _END)))


def in_block(log: str) -> str:
    """What the last such lines of a log say; empty where there are none."""
    _, begin, rest = log.rpartition(f"{_BEGIN}\n")
    return rest.partition(f"\n{_END}")[0] if begin else ""
