"""Pictures of curves over time: how errors grow with the timesteps, and how gradients vanish over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rnn_conformance.reports.overview.summary import Summary
from rnn_conformance.reports.pictures import drawing, measured
from rnn_conformance.reports.pictures.drawing import SERIES, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_KERNELS = ("small", "orthogonal", "large")
"""The recurrent kernels U that the checks take: one that forgets, one that keeps, one that lets everything grow."""

_ERRORS = (
    "How far each backend is from the exact recurrence, step by step, in {dtype}: the absolute error of the worst "
    "unit, and the bound that rounding is proven to stay within when it is carried along from step to step. A small "
    "recurrent kernel U forgets errors, an orthogonal one keeps them, a large one lets them grow until the layer is "
    "chaotic. Errors of exactly zero have no place on this axis."
)
_GRADIENTS = (
    "How much the last state depends on the state k timesteps before it: the norm of d h_T / d h_(T-k), in {dtype}. "
    "With a small recurrent kernel U the gradient vanishes, with an orthogonal one it lasts, with a large one it "
    "explodes. The broad line is the reference, the thin one with its marks the backend."
)


@dataclass(frozen=True)
class Curve:
    """What was measured with one kernel, and the bound or the reference that it is held against."""

    found: Sequence[float]
    against: Sequence[float]


Draw = Callable[["Axes", Sequence[float], str, Curve], None]
"""Draws the curve of a kernel over these positions into a panel."""


@dataclass(frozen=True)
class Curves:
    """The curves of one backend, by kernel, over the same positions along the axis of time."""

    at: Sequence[float]
    kernels: Mapping[str, Curve]


def errors_over_time(summary: Summary) -> list[Picture]:
    """For each dtype, the absolute error and its propagated bound at each timestep."""
    return [
        drawing.picture(
            f"error-over-time-{dtype}",
            f"Error against timestep, {dtype}",
            _ERRORS.format(dtype=dtype),
            partial(_errors, found),
        )
        for dtype, found in _by_dtype(summary, "test_error_over_time", "timestep", "bound {}").items()
    ]


def gradients_over_time(summary: Summary) -> list[Picture]:
    """For each dtype, the norm of the gradient at each lag, with the reference beside it."""
    return [
        drawing.picture(
            f"gradient-over-time-{dtype}",
            f"Gradient norm against lag, {dtype}",
            _GRADIENTS.format(dtype=dtype),
            partial(_gradients, found),
        )
        for dtype, found in _by_dtype(summary, "test_gradient_over_time", "lag", "reference {}").items()
    ]


def _by_dtype(summary: Summary, function: str, axis: str, against: str) -> dict[str, dict[str, Curves]]:
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
    for kernel in _KERNELS:
        found = measured.numbers(figures.get(kernel), len(at))
        other = measured.numbers(figures.get(against.format(kernel)), len(at))
        if found is not None and other is not None and any(value > 0 for value in found + other):
            kernels[kernel] = Curve(found, other)
    return Curves(at, kernels) if kernels else None


def _errors(found: Mapping[str, Curves]) -> Figure:
    dotted: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (1, 1.5))}

    def draw(ax: Axes, at: Sequence[float], kernel: str, curve: Curve) -> None:
        ax.plot(at, _positive(curve.against), color=_style(kernel)["color"], **dotted)
        ax.plot(at, _positive(curve.found), markevery=max(len(at) // 6, 1), **_style(kernel))

    figure, axes = _panels(found, draw, "absolute error", ("its bound", {"color": drawing.FAINT, **dotted}))
    for ax, curves in zip(axes, found.values(), strict=True):
        if not any(any(curve.found) for curve in curves.kernels.values()):
            how: dict[str, Any] = {"transform": ax.transAxes, "ha": "right", "fontsize": 8, "color": drawing.FAINT}
            ax.text(0.97, 0.05, "every error is zero", **how)
    axes[0].set_xscale("log")
    axes[0].xaxis.set_major_formatter(drawing.decade)
    drawing.below_all(figure, "timestep")
    return figure


def _gradients(found: Mapping[str, Curves]) -> Figure:
    broad: dict[str, Any] = {"linewidth": 6, "alpha": 0.3, "linestyle": "-"}

    def draw(ax: Axes, at: Sequence[float], kernel: str, curve: Curve) -> None:
        ax.plot(at, _positive(curve.against), color=_style(kernel)["color"], **broad)
        ax.plot(at, _positive(curve.found), **_style(kernel))

    figure, _ = _panels(found, draw, "norm", ("reference", {"color": drawing.FAINT, **broad}))
    drawing.below_all(figure, "lag k, in timesteps")
    return figure


def _panels(
    found: Mapping[str, Curves], draw: Draw, values: str, other: tuple[str, dict[str, Any]]
) -> tuple[Figure, list[Axes]]:
    """A panel for each backend, with a logarithmic axis of values, under a legend of the kernels and of one more."""
    figure, axes = drawing.panels(len(found), head=0.3)
    drawing.share_axes(axes, values)
    axes[0].set_yscale("log")
    axes[0].yaxis.set_major_formatter(drawing.decade)
    for ax, (name, curves) in zip(axes, found.items(), strict=True):
        ax.set_title(drawing.shown(name))
        ax.minorticks_off()
        for kernel, curve in curves.kernels.items():
            draw(ax, curves.at, kernel, curve)
    kernels = [kernel for kernel in _KERNELS if any(kernel in curves.kernels for curves in found.values())]
    drawing.legend(figure, [*((f"{kernel} U", _style(kernel)) for kernel in kernels), other])
    return figure, axes


def _style(kernel: str) -> dict[str, Any]:
    series = SERIES[_KERNELS.index(kernel)]
    return {"color": series.color, "linestyle": series.line, "marker": series.marker}


def _positive(values: Sequence[float]) -> list[float]:
    """Gaps where a logarithmic axis has no place."""
    return [value if value > 0 else math.nan for value in values]
