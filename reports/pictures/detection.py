"""A picture of the detection score: a square for each planted fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnn_conformance.reports.overview.summary import Summary
from rnn_conformance.reports.overview.wording import count
from rnn_conformance.reports.pictures import drawing
from rnn_conformance.reports.pictures.drawing import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ACROSS = 60
_MOST = 3000  # squares that a picture has room for

_CAPTION = (
    "{sentence}: layers that are wrong in one way each, planted to see whether the checks notice. Each square is one; "
    "a cross is one that nothing noticed."
)


def pictures(summary: Summary) -> list[Picture]:
    """The picture, or none where the score is not known, or is none."""
    score = summary.backends[0].results.header.detection
    killed, of = score.get("killed"), score.get("of")
    if type(killed) is not int or type(of) is not int or not 0 <= killed <= of or not 0 < of <= _MOST:
        return []
    sentence = summary.detection or f"{killed} of {count(of, 'planted fault')} noticed"
    profile = score.get("profile")
    sentence += f", profile {drawing.shown(profile)}" if isinstance(profile, str) else ""
    caption = _CAPTION.format(sentence=sentence)
    return [drawing.picture("detection", "Detection score", caption, lambda: _draw(killed, of))]


def _draw(killed: int, of: int) -> Figure:
    from matplotlib.figure import Figure

    rows = -(-of // _ACROSS)
    figure = Figure(figsize=(9, 0.148 * rows + 0.5))
    ax = figure.add_axes((0.01, 0.02, 0.98, 1 - 0.32 / figure.get_figheight()))
    at = [(i % _ACROSS, i // _ACROSS) for i in range(of)]
    ax.plot(*zip(*at[:killed], strict=True) if killed else ((), ()), "s", color=drawing.GOOD, markersize=7.5)
    ax.plot(*zip(*at[killed:], strict=True) if killed < of else ((), ()), "X", color=drawing.BAD, markersize=8.5)
    ax.set_title(f"{killed} of {of} noticed ({_percent(killed, of)})")
    ax.set_xlim(-0.6, _ACROSS - 0.4)
    ax.set_ylim(rows - 0.4, -0.6)
    ax.set_axis_off()
    return figure


def _percent(part: int, whole: int) -> str:
    """Rounded down, so that 100 % is all of them."""
    return f"{int(1000 * part / whole) / 10:g} %"
