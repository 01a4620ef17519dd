"""A picture of a sweep: a row for each release by date, a column for each chapter, and what changed with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnn_conformance.reports.overview.verdicts import SYMBOLS
from rnn_conformance.reports.pictures import drawing
from rnn_conformance.reports.pictures.drawing import Picture
from rnn_conformance.reports.pictures.history import tones
from rnn_conformance.reports.upgrades.releases import MARKS, Row, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CAPTION = (
    "Releases by date, and the gravest verdict in each chapter. A letter tells that something in that chapter is not "
    "as with the release before: " + ", ".join(f"{mark} {kind}" for kind, mark in MARKS.items()) + "."
)
_LABEL, _COLUMN, _ROW, _HEAD, _FOOT = 2.5, 0.62, 0.27, 0.45, 0.35  # inches


def releases_picture(timeline: Timeline) -> Picture:
    """The picture of a sweep, for a page or as the text of an SVG file."""
    return drawing.picture(
        f"sweep-{timeline.name}",
        f"{drawing.shown(timeline.name)}: {drawing.shown(timeline.sentence, 300)}",
        _CAPTION,
        lambda: _draw(timeline),
    )


def _draw(timeline: Timeline) -> Figure:
    from matplotlib.figure import Figure

    wide = _LABEL + _COLUMN * max(len(timeline.chapters), 1) + 0.1
    tall = _HEAD + _ROW * max(len(timeline.rows), 1) + _FOOT
    figure = Figure(figsize=(wide, tall))
    ax = figure.add_axes((0, 0, 1, 1))  # in inches, from the upper left
    ax.set_xlim(0, wide)
    ax.set_ylim(tall, 0)
    ax.set_axis_off()
    for j, (number, title) in enumerate(timeline.chapters.items()):
        x = _LABEL + (j + 0.5) * _COLUMN
        ax.text(x, 0.15, drawing.shown(number, 4), ha="center", va="center", weight="bold")
        ax.text(x, 0.32, drawing.shown(title, 9), ha="center", va="center", fontsize=7, color=drawing.FAINT)
    for i, row in enumerate(timeline.rows):
        _release(ax, timeline, row, _HEAD + i * _ROW)
    _legend(ax, timeline, tall - 0.15)
    return figure


def _release(ax: Axes, timeline: Timeline, row: Row, y: float) -> None:
    from matplotlib.patches import Rectangle

    middle = y + _ROW / 2
    ax.text(0.08, middle, row.tried.day, va="center", fontsize=8, color=drawing.FAINT)
    ax.text(0.95, middle, drawing.shown(str(row.tried), 20), va="center", weight="bold")
    if row.tried.results is None:
        ax.text(_LABEL + 0.08, middle, drawing.shown(row.outcome, 60), va="center", fontsize=8, color=drawing.FAINT)
        return
    for j, chapter in enumerate(timeline.chapters):
        verdict, kinds = row.chapters[chapter], row.kinds(chapter)
        tone, paper = tones(verdict)
        x = _LABEL + j * _COLUMN
        size = _COLUMN - 0.03, _ROW - 0.03
        ax.add_patch(Rectangle((x, y), *size, facecolor=paper, edgecolor=drawing.LINE, linewidth=0.5))
        if kinds:
            ax.add_patch(Rectangle((x, y), 0.05, size[1], facecolor=tone))
        ax.text(x + 0.18, middle, SYMBOLS[verdict], ha="center", va="center", weight="bold", color=tone)
        marks = "".join(MARKS[kind] for kind in kinds)
        ax.text(x + 0.3, middle, marks, va="center", fontsize=8, color=drawing.INK)


def _legend(ax: Axes, timeline: Timeline, y: float) -> None:
    there = {row.chapters[chapter] for row in timeline.rows if row.chapters for chapter in timeline.chapters}
    x = 0.08
    for verdict in (each for each in SYMBOLS if each in there):
        ax.text(x, y, SYMBOLS[verdict], va="center", weight="bold", color=tones(verdict)[0])
        ax.text(x + 0.2, y, verdict, va="center", fontsize=8, color=drawing.FAINT)
        x += 0.45 + 0.075 * len(verdict)
