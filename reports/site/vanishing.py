"""What the page of the vanishing gradient shows: its picture, and the norms in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rnn_conformance.reports.overview.summary import Backend, Summary
from rnn_conformance.reports.pictures.curves import KERNELS, Curves
from rnn_conformance.reports.pictures.drawing import Picture
from rnn_conformance.reports.pictures.gradients import FUNCTION, Gradients, measured_gradients, picture
from rnn_conformance.reports.pictures.measured import of_function
from rnn_conformance.reports.records.records import CheckRecord


@dataclass(frozen=True)
class Row:
    """The norms that a backend has at the longest lag that was measured on it, by kernel, and the record of it all."""

    backend: Backend
    lag: float
    norms: Mapping[str, float]
    record: CheckRecord


@dataclass(frozen=True)
class Part:
    """What the page tells of one kind of cell; `norms` has the right norms at each lag, in the order of `kernels`."""

    cell: str
    kernels: Sequence[str]
    norms: Sequence[tuple[float, Sequence[float]]]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Story:
    """All that the page tells."""

    picture: Picture
    dtype: str
    parts: Sequence[Part]


def story(summary: Summary) -> Story | None:
    """What there is to tell of these results; None if they have not measured it."""
    gradients = measured_gradients(summary)
    if not gradients:
        return None
    return Story(picture(gradients), gradients[0].dtype, [_part(summary, each) for each in gradients])


def _part(summary: Summary, gradients: Gradients) -> Part:
    reference = gradients.furthest
    kernels = [kernel for kernel in KERNELS if kernel in reference.kernels]
    right = zip(*(reference.kernels[kernel].against for kernel in kernels), strict=True)
    backends = {backend.results.header.adapter: backend for backend in summary.by_cell[gradients.cell]}
    rows = [_row(backends[name], gradients.dtype, curves) for name, curves in gradients.adapters.items()]
    return Part(gradients.cell, kernels, list(zip(reference.at, right, strict=True)), rows)


def _row(backend: Backend, dtype: str, curves: Curves) -> Row:
    record = next(each for each in of_function(backend, FUNCTION, dtype) if each.measured)
    return Row(backend, curves.at[-1], {kernel: curve.found[-1] for kernel, curve in curves.kernels.items()}, record)
