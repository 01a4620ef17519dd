"""A picture of how the errors of each backend are spread over their bounds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rnn_conformance.reports.overview.summary import Backend, Summary
from rnn_conformance.reports.overview.wording import count
from rnn_conformance.reports.pictures import drawing
from rnn_conformance.reports.pictures.drawing import Picture
from rnn_conformance.reports.records.records import EXACT, UNBOUNDED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST, _MOST = -10, 4
"""The powers of two that have a bar of their own; those beyond share the last one."""

_EXACT = _LEAST - 2  # where the bar of the errors that are zero stands
_UNBOUNDED = _EXACT - 2  # and that of those of which no bound says anything
_APART = {EXACT: _EXACT, UNBOUNDED: _UNBOUNDED}
_LARGEST = 10**15

_CAPTION = (
    "How large the judged errors are, as shares of their bounds: the worst element of each array that was judged, "
    "over all checks. Each bar is twice as far from zero as the one before; errors of exactly zero stand apart, on the "
    "left, and further left what no bound says anything of. Up to the line at 1 an error is within its bound."
)


def pictures(summary: Summary, cell: str = "") -> list[Picture]:
    """One picture with a panel for each backend, on that `cell`, or none if no record has counted its errors."""
    found = {backend.name: spread for backend in summary.backends if (spread := _spread(backend))}
    if not found:
        return []
    return [drawing.picture("error-shares", "Errors and their bounds", _CAPTION, lambda: _draw(found), cell)]


def _spread(backend: Backend) -> Counter[int]:
    """How many errors stand in which bar."""
    spread: Counter[int] = Counter()
    for record in backend.results.checks:
        for share, number in record.shares.items():
            if not 0 < number < _LARGEST:
                continue
            if share in _APART:
                spread[_APART[share]] += number
            else:
                spread[min(max(int(share), _LEAST), _MOST)] += number
    return spread


def _draw(found: dict[str, Counter[int]]) -> Figure:
    figure, axes = drawing.panels(len(found))
    drawing.share_axes(axes, "share of the errors")
    last = max(0, *(max(spread) for spread in found.values()))
    for ax, (name, spread) in zip(axes, found.items(), strict=True):
        _panel(ax, name, spread, last)
    drawing.below_all(figure, "error / bound")
    return figure


def _panel(ax: Axes, name: str, spread: Counter[int], last: int) -> None:
    total = spread.total()
    ax.set_title(drawing.shown(name))
    for bars, color, hatch in (
        ([bar for bar in spread if bar <= _EXACT], drawing.FAINT, ""),
        ([bar for bar in spread if _EXACT < bar < 0], drawing.SERIES[0].color, ""),
        ([bar for bar in spread if bar >= 0], drawing.BAD, "////"),
    ):
        heights = [100 * spread[bar] / total for bar in bars]
        filled = color if not hatch else drawing.BAD_PAPER
        ax.bar(bars, heights, width=0.9, align="edge", color=filled, edgecolor=color, hatch=hatch, linewidth=0.6)
    ax.axvline(0, color=drawing.INK, linewidth=1.2)
    beyond = sum(number for bar, number in spread.items() if bar >= 0)
    color = drawing.BAD if beyond else drawing.FAINT
    how: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "va": "top", "fontsize": 8}
    first = min(_EXACT, *spread)
    ax.text(first, 0.96, count(total, "error"), color=drawing.FAINT, **how)
    ax.text(0.3, 0.96, f"{beyond:,}\nbeyond", color=color, **how)
    ax.set_xlim(first - 0.4, max(last, 3) + 1.4)
    ticks = {_EXACT + 0.45: "0", -8: "1/256", -4: "1/16", 0: "1"}
    ax.set_xticks(*zip(*({_UNBOUNDED + 0.45: "none"} | ticks if first < _EXACT else ticks).items(), strict=True))
    ax.yaxis.set_major_formatter("{x:.0f} %")
    ax.grid(axis="x", visible=False)
    ax.margins(y=0.25)
