"""A picture of how accurate each backend's activations are, over the numbers that they are applied to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rnn_conformance.reports.overview.summary import Summary
from rnn_conformance.reports.pictures import drawing, measured
from rnn_conformance.reports.pictures.drawing import SERIES, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACTIVATIONS = ("tanh", "sigmoid")

_CAPTION = (
    "The worst error of each backend's activations, in units of the last place (ULP), over the number z that they are "
    "applied to. Backends with the same errors share a line. The dashed line is the limit of the specification."
)


@dataclass(frozen=True)
class Curve:
    """The worst error in ULP around each input, and the limit of the specification, where the results tell it."""

    inputs: Sequence[float]
    ulps: Sequence[float]
    limit: float | None


def pictures(summary: Summary, cell: str = "") -> list[Picture]:
    """One picture with a panel for each activation and dtype, or none if no results on that `cell` have the figures."""
    found = _found(summary)
    if not found:
        return []
    title = "Accuracy of the activations"
    return [drawing.picture("activation-ulps", title, _CAPTION, lambda: _draw(summary, found), cell)]


def _found(summary: Summary) -> dict[tuple[str, str], dict[str, Curve]]:
    """The curves by dtype and activation, and then by backend; of several modes, those of the first."""
    found: dict[tuple[str, str], dict[str, Curve]] = {}
    for dtype in measured.DTYPES:
        for activation in _ACTIVATIONS:
            for backend in summary.backends:
                for record in measured.of_function(backend, "test_declared_accuracy", dtype):
                    if curve := _curve(record.measured.get(activation)):
                        found.setdefault((dtype, activation), {}).setdefault(backend.name, curve)
    return found


def _curve(figures: Any) -> Curve | None:
    if not isinstance(figures, dict):
        return None
    inputs = measured.increasing(figures.get("input"))
    ulps = measured.numbers(figures.get("ulps"), len(inputs) if inputs else None)
    if inputs is None or ulps is None:
        return None
    limit = measured.number(figures.get("limit"))
    return Curve(inputs, ulps, limit if limit is not None and limit > 0 else None)


def _draw(summary: Summary, found: Mapping[tuple[str, str], Mapping[str, Curve]]) -> Figure:
    dtypes = list(dict.fromkeys(dtype for dtype, _ in found))
    lines = max(len(_shared(curves)) for curves in found.values())
    figure, axes = drawing.panels(2 * len(dtypes), most=2, height=1.5, below=0.5 + 0.17 * lines, foot=0.05)
    places = [backend.name for backend in summary.backends]
    for ax, (dtype, activation) in zip(axes, [(d, a) for d in dtypes for a in _ACTIVATIONS], strict=True):
        if curves := found.get((dtype, activation)):
            ax.set_title(f"{activation}, {dtype}")
            _panel(ax, curves, places)
        else:
            ax.remove()
    return figure


def _panel(ax: Axes, curves: Mapping[str, Curve], places: Sequence[str]) -> None:
    for names in _shared(curves):
        curve, series = curves[names[0]], SERIES[places.index(names[0]) % len(SERIES)]
        label = ", ".join(drawing.shown(name) for name in names)
        how = {"color": series.color, "linestyle": series.line, "marker": series.marker}
        ax.plot(curve.inputs, curve.ulps, label=label, markevery=max(len(curve.inputs) // 12, 1), **how)
    for limit in sorted({curve.limit for curve in curves.values() if curve.limit is not None}):
        ax.axhline(limit, color=drawing.BAD, linewidth=1, linestyle=(0, (6, 3)))
        ax.annotate(
            f"limit {limit:g} ULP",
            (1, limit),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=drawing.BAD,
            bbox={"facecolor": drawing.PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 0.5},
        )
    ax.set_ylim(bottom=0)
    ax.set_ylabel("ULP")
    ax.set_xlabel("z")
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.27), ncols=1)


def _shared(curves: Mapping[str, Curve]) -> list[list[str]]:
    """The names of backends, those with the same curve together."""
    groups: dict[tuple[tuple[float, ...], tuple[float, ...]], list[str]] = {}
    for name, curve in curves.items():
        groups.setdefault((tuple(curve.inputs), tuple(curve.ulps)), []).append(name)
    return list(groups.values())
