"""Timelines as one page of the site. All that comes from results is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from rnn_conformance.reports.history import Timeline, largest
from rnn_conformance.reports.site import site_environment
from rnn_conformance.reports.summary import summarise


def render_history(timelines: Sequence[Timeline]) -> str:
    """The HTML of ``history.html``, beside ``index.html``; the same timelines give the same text.

    The newest version of each backend is taken to be the one that the site is about. Raises ValueError for no
    timelines, and for those of results that cannot be shown together (see `summarise`).
    """
    summary = summarise([timeline.columns[-1].backend.results for timeline in timelines])
    shown = {column.cell(c).verdict for each in timelines for column in each.columns for c in each.clauses}
    template = site_environment().get_template("history.html")
    return template.render(root="", summary=summary, timelines=timelines, shown=shown, largest=largest)
