"""The picture of how gradients vanish, last and explode over time, in which all backends lie over each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rnn_conformance.reports.overview.summary import Summary
from rnn_conformance.reports.pictures import drawing
from rnn_conformance.reports.pictures.curves import KERNELS, Curve, Curves, by_dtype, positive
from rnn_conformance.reports.pictures.drawing import SERIES, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CAPTION = (
    "How much a state depends on the state k timesteps before it: the norm of d h_T / d h_(T-k), in {dtype}, with a "
    "small, an orthogonal and a large recurrent kernel U. The broad grey line is the reference. The backends that are "
    "with it lie over each other: one line, with dashes in the colours of all. A backend that is not has a line of its "
    "own. Norms of exactly zero have no place on this axis."
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
    """The norm of d h_T / d h_(T-k) by backend and kernel, as it was measured in one dtype."""

    dtype: str
    backends: Mapping[str, Curves]

    @property
    def furthest(self) -> Curves:
        """The curves of a backend that reach as far back as any."""
        return max(self.backends.values(), key=lambda curves: curves.at[-1])

    def with_reference(self, kernel: str) -> Sequence[str]:
        """The backends whose curve lies so close to the reference that it could not be seen beside it."""
        return [name for name, of in self.backends.items() if kernel in of.kernels and _is_close(of.kernels[kernel])]


def measured_gradients(summary: Summary) -> Gradients | None:
    """What the records have of it, in float32 if it was measured there; None if it was measured in no dtype."""
    found = by_dtype(summary, FUNCTION, "lag", "reference {}")
    return next((Gradients(dtype, found[dtype]) for dtype in _PREFERRED if dtype in found), None)


def picture(gradients: Gradients) -> Picture:
    """The one picture of all backends and kernels."""
    return drawing.picture(
        "gradient-over-time",
        f"Gradient norm against lag, {gradients.dtype}",
        _CAPTION.format(dtype=gradients.dtype),
        partial(_draw, gradients),
    )


def _is_close(curve: Curve) -> bool:
    pairs = zip(curve.found, curve.against, strict=True)
    return all(found > 0 and other > 0 and 1 / _TOGETHER < found / other < _TOGETHER for found, other in pairs)


def _draw(gradients: Gradients) -> Figure:
    from matplotlib.figure import Figure

    rows = math.ceil((len(gradients.backends) + 1) / _COLUMNS)
    wide, head, tall, foot = 9.0, 0.2 + 0.18 * rows, 3.6, 0.5  # inches
    whole = head + tall + foot
    figure = Figure(figsize=(wide, whole))
    ax = figure.add_axes((0.75 / wide, foot / whole, (wide - 1.7) / wide, tall / whole))
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(drawing.decade)
    ax.minorticks_off()
    ax.set_xlim(0, gradients.furthest.at[-1])
    ax.set_xlabel("lag k, in timesteps")
    ax.set_ylabel("norm of d h_T / d h_(T-k)")
    for kernel in KERNELS:
        _draw_kernel(ax, gradients, kernel)
    backends = [(drawing.shown(name, 18), _style(i)) for i, name in enumerate(gradients.backends)]
    drawing.legend(figure, [*backends, ("reference", _REFERENCE)], columns=_COLUMNS)
    return figure


def _draw_kernel(ax: Axes, gradients: Gradients, kernel: str) -> None:
    """The references of a kernel, one for each seed, with its name where they end; then the backends."""
    of_kernel = {
        name: (each.at, each.kernels[kernel]) for name, each in gradients.backends.items() if kernel in each.kernels
    }
    references = {(tuple(at), tuple(curve.against)) for at, curve in of_kernel.values()}
    for lags, right in sorted(references):
        ax.plot(lags, positive(right), **_REFERENCE)
    ends = [(lags[-1], right[-1]) for lags, right in references if right[-1] > 0]
    if ends:
        how: dict[str, Any] = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
        ax.annotate(f"{kernel} U", max(ends), xytext=(6, 0), **how)
    together = gradients.with_reference(kernel)
    for i, name in enumerate(gradients.backends):
        if name not in of_kernel:
            continue
        (at, curve), style = of_kernel[name], _style(i)
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
