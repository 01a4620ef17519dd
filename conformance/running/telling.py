"""What a record says of an adapter that is not as it should be, in words for the one who wrote it."""

from __future__ import annotations

import re
from dataclasses import replace

from rnn_conformance.reports.records.records import CheckRecord

_EXIT = re.compile(r"called sys\.exit\((the program of .*)\) in \w+", re.DOTALL)


def in_plain_words(record: CheckRecord) -> CheckRecord:
    """The same record, whose messages say what happened to a program, and not what that is to this process."""
    further = [replace(each, message=_plain(each.message)) for each in record.further]
    return replace(record, message=_plain(record.message), further=further)


def _plain(message: str) -> str:
    return _EXIT.sub(r"\1", message)
