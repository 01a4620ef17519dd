"""A picture of a timeline: a row for clauses alike that do not always conform, a column for each version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnn_conformance.reports.overview.history import Column, Timeline, largest
from rnn_conformance.reports.overview.ranges import ranges
from rnn_conformance.reports.overview.verdicts import NOT_RUN, SYMBOLS
from rnn_conformance.reports.overview.wording import count, figure
from rnn_conformance.reports.pictures import drawing
from rnn_conformance.reports.pictures.drawing import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TONES = {
    "conforms": (drawing.GOOD, drawing.GOOD_PAPER),
    "deviation": (drawing.KNOWN, drawing.KNOWN_PAPER),
    "observed": (drawing.NONE, drawing.PAPER),
    "missing": (drawing.LOST, drawing.LOST_PAPER),
    "unsupported": (drawing.NONE, drawing.PANEL),
    NOT_RUN: (drawing.NONE, drawing.PAPER),
}
"""The colour of a verdict and of the paper under it; those that are not here are bad."""

_CAPTION = (
    "The clauses that do not conform at every version, those with the same story in one row. The number is the worst "
    "error as a share of its bound; a bar at the left of a cell tells that it is not as at the version before."
)
_LABEL, _COLUMN, _ROW, _LINE = 3.6, 0.85, 0.3, 0.17  # inches
_RANGES = 4  # of the clauses of a row that are named


def timeline_picture(timeline: Timeline) -> Picture:
    """The picture of a timeline, for a page or as the text of an SVG file."""
    return drawing.picture(
        f"history-{timeline.adapter}",
        f"{drawing.shown(timeline.adapter)}: {drawing.shown(timeline.sentence, 300)}",
        _CAPTION,
        lambda: _draw(timeline),
    )


def _draw(timeline: Timeline) -> Figure:
    from matplotlib.figure import Figure

    rows = timeline.rows
    lines = len(timeline.columns[0].label)
    head, foot = 0.2 + _LINE * lines, 0.35
    wide = _LABEL + _COLUMN * len(timeline.columns)
    tall = head + _ROW * max(len(rows), 1) + foot
    figure = Figure(figsize=(wide, tall))
    ax = figure.add_axes((0, 0, 1, 1))  # in inches, from the upper left
    ax.set_xlim(0, wide)
    ax.set_ylim(tall, 0)
    ax.set_axis_off()
    _headings(ax, timeline, head - 0.12 - _LINE * (lines - 1))
    for i, clauses in enumerate(rows):
        _row(ax, timeline, clauses, head + i * _ROW)
    if not rows:
        ax.text(0.08, head + 0.5 * _ROW, "Every clause conforms at every version.", va="center")
    _legend(ax, timeline, tall - 0.13)
    return figure


def _headings(ax: Axes, timeline: Timeline, top: float) -> None:
    """The versions, a line for each package; those that are new are bold."""
    for i, line in enumerate(timeline.columns[0].label):
        y = top + i * _LINE
        ax.text(_LABEL - 0.12, y, drawing.shown(line.rpartition(" ")[0], 20), ha="right", color=drawing.FAINT)
        for j, column in enumerate(timeline.columns):
            name, _, version = column.label[i].rpartition(" ")
            weight, color = ("bold", drawing.INK) if not j or name in column.changed else ("normal", drawing.FAINT)
            x = _LABEL + (j + 0.5) * _COLUMN
            ax.text(x, y, drawing.shown(version, 11), ha="center", weight=weight, color=color)


def _row(ax: Axes, timeline: Timeline, clauses: Sequence[str], y: float) -> None:
    """Clauses with the same story: one with its text, several with their numbers as ranges."""
    middle = y + _ROW / 2
    if len(clauses) == 1:
        ax.text(0.08, middle, drawing.shown(clauses[0], 8), va="center", weight="bold")
        text = timeline.clauses[clauses[0]].replace("`", "")
        ax.text(0.55, middle, drawing.shown(text, 47), va="center", color=drawing.FAINT, fontsize=8)
    else:
        found = [run for _, of_chapter in ranges(clauses, timeline.clauses) for run in of_chapter]
        named = [
            "\N{EN DASH}".join(drawing.shown(clause, 8) for clause in dict.fromkeys(run)) for run in found[:_RANGES]
        ]
        more = ", …" if len(found) > _RANGES else ""
        text = f"{count(len(clauses), 'clause')}: {', '.join(named)}{more}"
        ax.text(0.08, middle, text, va="center", weight="bold")
    for j in range(len(timeline.columns)):
        _cell(ax, timeline.columns[j], clauses, _LABEL + j * _COLUMN, y)


def _cell(ax: Axes, column: Column, clauses: Sequence[str], x: float, y: float) -> None:
    from matplotlib.patches import Rectangle

    verdict = column.cell(clauses[0]).verdict
    tone, paper = tones(verdict)
    wide, tall = _COLUMN - 0.03, _ROW - 0.03
    ax.add_patch(Rectangle((x, y), wide, tall, facecolor=paper, edgecolor=drawing.LINE, linewidth=0.5))
    if column.has_changed(clauses[0]):
        ax.add_patch(Rectangle((x, y), 0.05, tall, facecolor=tone))
    middle = y + _ROW / 2
    ax.text(x + 0.2, middle, SYMBOLS[verdict], ha="center", va="center", weight="bold", color=tone)
    if error := largest(record for clause in clauses for record in column.cell(clause).records):
        how: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 8, "color": drawing.FAINT}
        ax.text(x + wide - 0.07, middle, figure(error.ratio), **how)


def _legend(ax: Axes, timeline: Timeline, y: float) -> None:
    shown = {column.cell(clauses[0]).verdict for column in timeline.columns for clauses in timeline.rows}
    x = 0.08
    for verdict in SYMBOLS:
        if verdict in shown:
            ax.text(x, y, SYMBOLS[verdict], va="center", weight="bold", color=tones(verdict)[0])
            ax.text(x + 0.2, y, verdict, va="center", fontsize=8, color=drawing.FAINT)
            x += 0.45 + 0.075 * len(verdict)


def tones(verdict: str) -> tuple[str, str]:
    """The colour of a verdict, and that of the paper under it."""
    return _TONES.get(verdict, (drawing.BAD, drawing.BAD_PAPER))
