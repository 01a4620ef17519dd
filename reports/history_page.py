"""Timelines as one HTML page beside the report, which needs neither a server nor a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rnn_conformance.reports.drawing import slug
from rnn_conformance.reports.history import Timeline, largest
from rnn_conformance.reports.page import code_spans
from rnn_conformance.reports.summary import MEANINGS, SYMBOLS, count, figure, title


def render_history(timelines: Sequence[Timeline]) -> str:
    """The HTML of ``history.html``; the same timelines give the same text. All that comes from results is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code_spans": code_spans, "figure": figure, "slug": slug}
    shown = {column.cell(c).verdict for each in timelines for column in each.columns for c in each.clauses}
    return environment.get_template("history.html").render(
        timelines=timelines,
        symbols=SYMBOLS,
        meanings={verdict: meaning for verdict, meaning in MEANINGS.items() if verdict in shown},
        count=count,
        largest=largest,
        title=title,
    )
