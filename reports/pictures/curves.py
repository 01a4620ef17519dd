"""Curves over time from the records, and the picture of how errors grow with the timesteps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rnn_conformance.reports.overview.summary import Summary
from rnn_conformance.reports.pictures import drawing, measured
from rnn_conformance.reports.pictures.drawing import SERIES, Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KERNELS = ("small", "orthogonal", "large")
"""The recurrent kernels U that the checks take: one that forgets, one that keeps, one that lets everything grow."""

_ERRORS = (
    "How far each backend is from the exact recurrence, step by step, in {dtype}: the absolute error of the worst "
    "unit, and the bound that rounding is proven to stay within when it is carried along from step to step. A small "
    "recurrent kernel U forgets errors, an orthogonal one keeps them, a large one lets them grow until the layer is "
    "chaotic. Errors of exactly zero have no place on this axis."
)


@dataclass(frozen=True)
class Curve:
    """What was measured with one kernel, and the bound or the reference that it is held against."""

    found: Sequence[float]
    against: Sequence[float]


@dataclass(frozen=True)
class Curves:
    """The curves of one backend, by kernel, over the same positions along the axis of time."""

    at: Sequence[float]
    kernels: Mapping[str, Curve]


def errors_over_time(summary: Summary, cell: str = "") -> list[Picture]:
    """For each dtype, the absolute error and its propagated bound at each timestep; of backends on that `cell`."""
    return [
        drawing.picture(
            f"error-over-time-{dtype}",
            f"Error against timestep, {dtype}",
            _ERRORS.format(dtype=dtype),
            partial(_errors, found),
            cell,
        )
        for dtype, found in by_dtype(summary, "test_error_over_time", "timestep", "bound {}").items()
    ]


def by_dtype(summary: Summary, function: str, axis: str, against: str) -> dict[str, dict[str, Curves]]:
    """The curves of a check by dtype and backend; of several modes, those of the first that has any."""
    found: dict[str, dict[str, Curves]] = {}
    for dtype in measured.DTYPES:
        for backend in summary.backends:
            for record in measured.of_function(backend, function, dtype):
                if curves := _curves(record.measured, axis, against):
                    found.setdefault(dtype, {}).setdefault(backend.name, curves)
    return found


def _curves(figures: Mapping[str, Any], axis: str, against: str) -> Curves | None:
    at = measured.increasing(figures.get(axis))
    if at is None:
        return None
    kernels = {}
    for kernel in KERNELS:
        found = measured.numbers(figures.get(kernel), len(at))
        other = measured.numbers(figures.get(against.format(kernel)), len(at))
        if found is not None and other is not None and any(value > 0 for value in found + other):
            kernels[kernel] = Curve(found, other)
    return Curves(at, kernels) if kernels else None


def _errors(found: Mapping[str, Curves]) -> Figure:
    """A panel for each backend, with logarithmic axes, under a legend of the kernels and of the bound."""
    dotted: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (1, 1.5))}
    figure, axes = drawing.panels(len(found), head=0.3)
    drawing.share_axes(axes, "absolute error")
    for set_scale, axis in ((axes[0].set_xscale, axes[0].xaxis), (axes[0].set_yscale, axes[0].yaxis)):
        set_scale("log")
        axis.set_major_formatter(drawing.decade)
    for ax, (name, curves) in zip(axes, found.items(), strict=True):
        ax.set_title(drawing.shown(name))
        ax.minorticks_off()
        for kernel, curve in curves.kernels.items():
            style = _style(kernel)
            ax.plot(curves.at, positive(curve.against), color=style["color"], **dotted)
            ax.plot(curves.at, positive(curve.found), markevery=max(len(curves.at) // 6, 1), **style)
        if not any(any(curve.found) for curve in curves.kernels.values()):
            how: dict[str, Any] = {"transform": ax.transAxes, "ha": "right", "fontsize": 8, "color": drawing.FAINT}
            ax.text(0.97, 0.05, "every error is zero", **how)
    kernels = [kernel for kernel in KERNELS if any(kernel in curves.kernels for curves in found.values())]
    bound: tuple[str, dict[str, Any]] = ("its bound", {"color": drawing.FAINT, **dotted})
    drawing.legend(figure, [*((f"{kernel} U", _style(kernel)) for kernel in kernels), bound])
    drawing.below_all(figure, "timestep")
    return figure


def _style(kernel: str) -> dict[str, Any]:
    series = SERIES[KERNELS.index(kernel)]
    return {"color": series.color, "linestyle": series.line, "marker": series.marker}


def positive(values: Sequence[float]) -> list[float]:
    """Gaps where a logarithmic axis has no place."""
    return [value if value > 0 else math.nan for value in values]
