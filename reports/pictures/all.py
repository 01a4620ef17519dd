"""The pictures of a report: those for which its results have the figures."""

from __future__ import annotations

from rnn_conformance.reports.overview.summary import Summary
from rnn_conformance.reports.pictures import curves as picture_curves
from rnn_conformance.reports.pictures import detection as picture_detection
from rnn_conformance.reports.pictures import shares as picture_shares
from rnn_conformance.reports.pictures import ulps as picture_ulps
from rnn_conformance.reports.pictures.drawing import Picture


def pictures(summary: Summary) -> list[Picture]:
    """Every picture that can be drawn, in the order of a page. Figures that have another shape are left out."""
    return [
        *picture_shares.pictures(summary),
        *picture_curves.errors_over_time(summary),
        *picture_ulps.pictures(summary),
        *picture_detection.pictures(summary),
    ]
