"""Cotangents and gradients with their errors: what is handed from one layer to the one below (BOUNDS.md, section 8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rnn_conformance.reference.arithmetic.rounding import SLACK, Precision, joint_gamma
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array


@dataclass(frozen=True, eq=False)
class Cotangent:
    """Numbers from which a subject's lie within an `error`; `size` bounds the sum of their terms' absolute values."""

    value: Array
    error: Array
    size: Array

    def __add__(self, other: Cotangent) -> Cotangent:
        return Cotangent(self.value + other.value, self.error + other.error, self.size + other.size)

    def each(self, change: Callable[[Array], Array]) -> Cotangent:
        """The same with all three arrays changed in the same way."""
        return Cotangent(change(self.value), change(self.error), change(self.size))


def exactly(value: Array) -> Cotangent:
    """A number without error."""
    return Cotangent(value, np.zeros_like(value), np.abs(value))


def unshown(one: Pass, d_outputs: Cotangent, d_final: Cotangent) -> tuple[Cotangent, int, Array | None]:
    """How L depends directly on what was computed, of how many terms that is the sum, and what falls to what was given.

    A term comes from an output and one from the final state; where outputs are repeated, up to all outputs are terms.
    """
    course = one.course
    value, initial = course.unshow(d_outputs.value, d_final.value)
    error, size = (
        course.unshow(*each)[0] for each in ((d_outputs.error, d_final.error), (d_outputs.size, d_final.size))
    )
    return Cotangent(value, error, size), 2 + value.shape[1] * (course.sorted is not None), initial


def split(layer: Layer, d: Cotangent, each: Sequence[Expected], precision: Precision) -> list[Cotangent]:
    """The cotangent of joined outputs as one for each direction; `each` are the outputs that were joined."""
    if not layer.is_bidirectional:
        return [d]
    if layer.merge == "concat":
        return [d.each(lambda a: a[..., : layer.of_direction]), d.each(lambda a: a[..., layer.of_direction :])]
    if layer.merge == "sum":
        return [d, d]
    if layer.merge == "ave":
        return [rounded(d.each(lambda a: a / 2), 1, precision)] * 2
    split = []
    for other in reversed(each):
        size = np.abs(other.value) + other.bound
        error = d.error * size + np.abs(d.value) * other.bound + precision.tiny * (d.size + size)
        split.append(rounded(Cotangent(d.value * other.value, error, d.size * size), 1, precision))
    return split


def rounded(exact: Cotangent, n: int, precision: Precision) -> Cotangent:
    """The same after n more operations, each of which may be rounded and flushed; what is zero stays so."""
    rounding = joint_gamma(precision, n)
    lost = np.where(exact.size > 0, (1 + rounding) * 2 * n * precision.tiny, 0)
    return Cotangent(exact.value, exact.error + rounding * exact.size + lost, exact.size)


def finite(bounded: Cotangent, precision: Precision) -> Array:
    """The bound of a result: infinite where a partial sum might overflow, or where an infinite error met a zero."""
    has_bound = (bounded.size < precision.largest) & (bounded.error < np.inf)
    return np.where(has_bound, bounded.error * SLACK, np.inf)
