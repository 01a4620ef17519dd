"""The pictures of a report: those for which its results have the figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rnn_conformance.reports.overview.summary import Summary
from rnn_conformance.reports.pictures import curves as picture_curves
from rnn_conformance.reports.pictures import detection as picture_detection
from rnn_conformance.reports.pictures import shares as picture_shares
from rnn_conformance.reports.pictures import ulps as picture_ulps
from rnn_conformance.reports.pictures.drawing import Picture


def pictures(summary: Summary) -> list[Picture]:
    """Every picture that can be drawn, in the order of a page. Figures that have another shape are left out.

    Of each kind of cell there are pictures of its own.
    """
    groups = summary.by_cell
    found = [each for cell, backends in groups.items() for each in _of(replace(summary, backends=backends), cell)]
    return [*found, *picture_detection.pictures(summary)]


def _of(summary: Summary, cell: str) -> Iterator[Picture]:
    yield from picture_shares.pictures(summary, cell)
    yield from picture_curves.errors_over_time(summary, cell)
    yield from picture_ulps.pictures(summary, cell)
