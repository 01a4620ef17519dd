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
class Story:
    """All that the page tells; `norms` has the right norms at each lag, in the order of `kernels`."""

    picture: Picture
    dtype: str
    kernels: Sequence[str]
    norms: Sequence[tuple[float, Sequence[float]]]
    rows: Sequence[Row]


def story(summary: Summary) -> Story | None:
    """What there is to tell of these results; None if they have not measured it."""
    gradients = measured_gradients(summary)
    if gradients is None:
        return None
    reference = gradients.furthest
    kernels = [kernel for kernel in KERNELS if kernel in reference.kernels]
    right = zip(*(reference.kernels[kernel].against for kernel in kernels), strict=True)
    norms = list(zip(reference.at, right, strict=True))
    return Story(picture(gradients), gradients.dtype, kernels, norms, _rows(summary, gradients))


def _rows(summary: Summary, gradients: Gradients) -> Sequence[Row]:
    backends = {backend.name: backend for backend in summary.backends}
    return [_row(backends[name], gradients.dtype, curves) for name, curves in gradients.backends.items()]


def _row(backend: Backend, dtype: str, curves: Curves) -> Row:
    record = next(each for each in of_function(backend, FUNCTION, dtype) if each.measured)
    return Row(backend, curves.at[-1], {kernel: curve.found[-1] for kernel, curve in curves.kernels.items()}, record)
