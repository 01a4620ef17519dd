"""What a record has to tell beside its first failure: others, rows of features, how far known deviations reach."""

from __future__ import annotations

from collections.abc import Iterator

from rnn_conformance.reports.overview.rows import told_of_rows
from rnn_conformance.reports.overview.wording import count
from rnn_conformance.reports.records.parts import Extent
from rnn_conformance.reports.records.records import CheckRecord


def beside(record: CheckRecord) -> Iterator[str]:
    """All of it, a line each."""
    yield from told_of_rows(record)
    yield from also(record)
    yield from map(reach, record.extents)


def also(record: CheckRecord) -> Iterator[str]:
    """The failures of other kinds than the first, a line each."""
    for each in record.further:
        times = f" ({count(each.times, 'time')})" if each.times > 1 else ""
        case = f" — case: {each.case}" if each.case else ""
        again = f" — {each.replay}" if each.replay else ""
        yield f"also{times}: {each.message.partition(chr(10))[0]}{case}{again}"


def reach(extent: Extent) -> str:
    """How much of a check a known deviation touches, such as ``torch-x: left out of 3 of 12 cases (25 %)``."""
    share = f"{extent.cases:,} of {extent.of:,} {{}} ({100 * extent.cases / max(extent.of, 1):.0f} %)"
    if extent.judged_at:
        return f"{extent.deviation}: {share.format('examples')} deviate, and are judged at {extent.judged_at}"
    return f"{extent.deviation}: {share.format('cases')} left out"
