"""The picture of how gradients vanish, last and explode over time: a panel for each kind of cell, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rnn_conformance.reports.overview.summary import Backend, Summary
from rnn_conformance.reports.overview.wording import cell_in_words
from rnn_conformance.reports.pictures import drawing
from rnn_conformance.reports.pictures.curves import KERNELS, Curve, Curves, by_dtype, positive
from rnn_conformance.reports.pictures.drawing import SERIES, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CAPTION = (
    "How much a state depends on the state k timesteps before it: the norm of d s_T / d s_(T-k), in {dtype}, with a "
    "small, an orthogonal and a large recurrent kernel U. The state s is h; of an LSTM h and c. The broad grey line "
    "is the reference. The backends that are with it lie over each other: one line, with dashes in the colours of all. "
    "A backend that is not has a line of its own. Norms of exactly zero have no place on this axis."
)
FUNCTION = "test_gradient_over_time"
"""The check that measures it."""

_PREFERRED = ("float32", "float64", "bfloat16", "float16")
_TOGETHER = 1.05  # curves that differ by less than this factor could not be told apart on a logarithmic axis
_DASH = 5.0  # of a line that several share, in widths of it
_COLUMNS = 5  # of the legend
_REFERENCE: dict[str, Any] = {"color": drawing.FAINT, "linewidth": 7, "alpha": 0.25}


@dataclass(frozen=True)
class Gradients:
    """The norm of d s_T / d s_(T-k) by adapter and kernel, as it was measured on one kind of cell in one dtype."""

    cell: str
    dtype: str
    adapters: Mapping[str, Curves]

    @property
    def furthest(self) -> Curves:
        """The curves of an adapter that reach as far back as any."""
        return max(self.adapters.values(), key=lambda curves: curves.at[-1])

    def with_reference(self, kernel: str) -> Sequence[str]:
        """The adapters whose curve lies so close to the reference that it could not be seen beside it."""
        return [name for name, of in self.adapters.items() if kernel in of.kernels and _is_close(of.kernels[kernel])]


def measured_gradients(summary: Summary) -> Sequence[Gradients]:
    """What the records have of it, by kind of cell: all in float32 if any was measured there; nothing if none was."""
    measured = {cell: _by_dtype(summary, backends) for cell, backends in summary.by_cell.items()}
    dtype = next((dtype for dtype in _PREFERRED if any(dtype in found for found in measured.values())), "")
    return [Gradients(cell, dtype, found[dtype]) for cell, found in measured.items() if dtype in found]


def _by_dtype(summary: Summary, backends: Sequence[Backend]) -> Mapping[str, Mapping[str, Curves]]:
    """The curves by dtype and adapter."""
    adapters = {backend.name: backend.results.header.adapter for backend in backends}
    found = by_dtype(replace(summary, backends=backends), FUNCTION, "lag", "reference {}")
    return {
        dtype: {adapters[name]: curves for name, curves in by_backend.items()} for dtype, by_backend in found.items()
    }


def picture(gradients: Sequence[Gradients]) -> Picture:
    """The one picture of all cells, adapters and kernels; of at least one cell."""
    dtype = gradients[0].dtype
    title = f"Gradient norm against lag, {dtype}"
    return drawing.picture("gradient-over-time", title, _CAPTION.format(dtype=dtype), partial(_draw, gradients))


def _is_close(curve: Curve) -> bool:
    pairs = zip(curve.found, curve.against, strict=True)
    return all(found > 0 and other > 0 and 1 / _TOGETHER < found / other < _TOGETHER for found, other in pairs)


def _draw(gradients: Sequence[Gradients]) -> Figure:
    from matplotlib.figure import Figure

    adapters = list(dict.fromkeys(name for each in gradients for name in each.adapters))
    rows = math.ceil((len(adapters) + 1) / _COLUMNS)
    wide, head, tall, foot = 9.0, (0.2 if len(gradients) == 1 else 0.45) + 0.18 * rows, 3.6, 0.5  # inches
    left, named = 0.75, 0.95  # the second is for the names of kernels, beside a panel
    whole, panel = head + tall + foot, (wide - left) / len(gradients) - named
    figure = Figure(figsize=(wide, whole))
    first: Axes | None = None
    for i, each in enumerate(gradients):
        place = ((left + i * (panel + named)) / wide, foot / whole, panel / wide, tall / whole)
        ax = figure.add_axes(place, sharey=first)
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(drawing.decade)
        ax.minorticks_off()
        ax.set_xlim(0, each.furthest.at[-1])
        ax.set_xlabel("lag k, in timesteps")
        if len(gradients) > 1:
            ax.set_title(drawing.shown(cell_in_words(each.cell)))
            ax.tick_params(labelleft=first is None)
        for kernel in KERNELS:
            _draw_kernel(ax, each, kernel, adapters)
        first = first or ax
        first.set_ylabel("norm of d s_T / d s_(T-k)")
    lines = [(drawing.shown(name, 18), _style(i)) for i, name in enumerate(adapters)]
    drawing.legend(figure, [*lines, ("reference", _REFERENCE)], columns=_COLUMNS)
    return figure


def _draw_kernel(ax: Axes, gradients: Gradients, kernel: str, adapters: Sequence[str]) -> None:
    """The references of a kernel, one for each seed, with its name where they end; then the adapters."""
    of_kernel = {
        name: (each.at, each.kernels[kernel]) for name, each in gradients.adapters.items() if kernel in each.kernels
    }
    references = {(tuple(at), tuple(curve.against)) for at, curve in of_kernel.values()}
    for lags, right in sorted(references):
        ax.plot(lags, positive(right), **_REFERENCE)
    ends = [(lags[-1], right[-1]) for lags, right in references if right[-1] > 0]
    if ends:
        how: dict[str, Any] = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
        ax.annotate(f"{kernel} U", max(ends), xytext=(6, 0), **how)
    together = gradients.with_reference(kernel)
    for name, (at, curve) in of_kernel.items():
        style = _style(adapters.index(name))
        if name in together:
            style |= _shared(together.index(name), len(together))
        ax.plot(at, positive(curve.found), **style)


def _shared(place: int, number: int) -> dict[str, Any]:
    """The dashes and marks of one of several lines that lie over each other: where those of the others are not."""
    line = "-" if number == 1 else (place * _DASH, (_DASH, (number - 1) * _DASH))
    return {"linestyle": line, "markevery": (place, number)}


def _style(place: int) -> dict[str, Any]:
    series = SERIES[place % len(SERIES)]
    return {"color": series.color, "linestyle": "-", "marker": series.marker, "linewidth": 1.8}
