"""The pictures of a report: those for which its results have the figures."""

from __future__ import annotations

from rnn_conformance.reports import picture_curves, picture_detection, picture_shares, picture_ulps
from rnn_conformance.reports.drawing import Picture
from rnn_conformance.reports.summary import Summary


def pictures(summary: Summary) -> list[Picture]:
    """Every picture that can be drawn, in the order of a page. Figures that have another shape are left out."""
    return [
        *picture_shares.pictures(summary),
        *picture_curves.errors_over_time(summary),
        *picture_ulps.pictures(summary),
        *picture_curves.gradients_over_time(summary),
        *picture_detection.pictures(summary),
    ]
