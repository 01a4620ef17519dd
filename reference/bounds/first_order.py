"""How far a right layer may have come away from the reference where its outputs are not seen: to first order, proved.

The propagated bound of steps.py adds up absolute values at each step, and so grows like the product of |U|. This one
carries the errors as linear forms, which grow like the product of the Jacobians, as the errors themselves do; all that
is not linear in them is bounded and added (BOUNDS.md, section 10).
"""

from __future__ import annotations

import numpy as np

from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import REFERENCE_ROUNDOFF, Precision, gamma
from rnn_conformance.reference.bounds.linear_forms import SHARP, Recurrence, carried
from rnn_conformance.reference.bounds.steps import Expected, Steps, one_step_later, propagated_bound
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights


@ignoring_flags
def first_order_bound(
    layer: Layer,
    weights: LayerWeights,
    inputs: Array,
    initial: Array | None,
    precision: Precision,
    inputs_error: Array | None = None,
) -> Expected:
    """The reference's outputs, and how far a subject's may have come away from them; never more than propagated.

    The arguments are those of `propagated_bound`, (batch, timesteps, features) and so on.
    """
    expected = propagated_bound(layer, weights, inputs, initial, precision, inputs_error)
    step = Steps(layer, weights, inputs, inputs_error, precision)
    previous = one_step_later(expected.value, initial)
    z, size = step.projected + previous @ step.U_T, step.size(previous)
    radius, result = step.radius(previous, size), step.result(np.abs(expected.value))
    slope = step.activation.slope(z, np.zeros(()))
    # Nothing that is added at a step is smaller than this, whatever is carried to it.
    least = slope * radius + result
    if step.has_no_bound or (expected.bound <= SHARP * least).all():
        return expected

    # Both pre-activations of the reference lie so far apart.
    apart = 2 * gamma(layer.features + layer.units + 3, REFERENCE_ROUNDOFF) * size
    own = result + step.growth * step.activation.remainder(z, apart)
    by_time = (z, slope, radius, own, precision.largest - size, expected.bound)
    z, slope, radius, own, room, caps = (np.ascontiguousarray(array.swapaxes(0, 1)) for array in by_time)
    errors = _Errors(step, z, slope, radius, own)
    bound = carried(errors, caps)
    beyond = np.logical_or.accumulate(~(errors.reach <= room).all(-1), axis=0)
    bound = np.where(beyond[..., np.newaxis], caps, bound).swapaxes(0, 1)
    return Expected(expected.value, bound, expected.without_recurrence)


class _Errors(Recurrence):
    """The error of h: all arrays are (timesteps, batch, units).

    `radius` is how far the subject's z may lie from the reference's for an exact h_{t-1}, `own` what h loses for an
    exact z. `reach`, that of z in all, is filled in by the way.
    """

    def __init__(self, step: Steps, z: Array, slope: Array, radius: Array, own: Array) -> None:
        self.remainder, self.growth = step.activation.remainder, step.growth
        self.z, self.slope, self.radius, self.own = z, slope, radius, own
        self.kernel = np.ascontiguousarray(step.U_T)
        self.abs_kernel = np.abs(self.kernel)
        self.rounded = step.subject_gamma * self.abs_kernel + step.underflow
        self.reach = np.empty_like(z)

    def carry(self, t: int, forms: Array, out: Array) -> Array:
        np.matmul(forms, self.kernel, out=out)
        out *= self.slope[t, :, np.newaxis]
        return out

    def size(self, t: int, errors: Array) -> Array:
        return (errors @ self.abs_kernel) * self.slope[t]

    def added(self, t: int, bound: Array) -> Array:
        lost = bound @ self.rounded + self.radius[t]
        reach = np.add(lost, bound @ self.abs_kernel, out=self.reach[t])
        rest = self.remainder(self.z[t], reach)
        return self.slope[t] * (lost + (self.growth - 1) * reach) + self.growth * rest + self.own[t]
