"""The order in which a layer comes by its timesteps, and where its outputs then stand (SPEC.md, chapters 9 and 10).

A layer under a mask computes what it computes on the valid timesteps alone. So its timesteps are sorted before it runs:
in its own direction, the valid ones first. What it computes after the last valid one has no meaning, or is where the
outputs of a layer that goes on evolving come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.model.architecture import Choices
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.weights import Array

Indices = NDArray[np.intp]


def mask_of_lengths(lengths: NDArray[np.integer], timesteps: int) -> Mask:
    """The mask (batch, timesteps) whose first `lengths` timesteps are valid."""
    return np.arange(timesteps) < np.asarray(lengths)[:, np.newaxis]


@dataclass(frozen=True, eq=False)
class Sorted:
    """The indices that a mask makes necessary; `places` count the timesteps in the order of processing.

    `order` is the timestep read at each place, `entry` the entry of the outputs that holds what is computed there, and
    `valid` whether that timestep is valid. `shown` is the place that each entry of the outputs shows; `timesteps`, one
    beyond the last place, stands for zero. All of them are (batch, timesteps). `last` (batch,) is the place of the last
    valid timestep, -1 where there is none. `passes_over` tells that timesteps which are not valid have no part at all;
    `filled` (batch, timesteps) is then True at the entries of the outputs that stand for them, and else nowhere.
    """

    order: Indices
    entry: Indices
    valid: Mask
    shown: Indices
    last: Indices
    passes_over: bool
    filled: Mask


@dataclass(frozen=True, eq=False)
class Course:
    """How one direction of a layer goes through its timesteps, with or without a mask.

    `reverses_inputs` is true of a backward layer, `reverses_outputs` of one whose outputs are aligned with the input.
    """

    reverses_inputs: bool
    reverses_outputs: bool
    sorted: Sorted | None = None

    def read(self, x: Array) -> Array:
        """Inputs (batch, timesteps, features) in the order of processing; zeros where they are passed over."""
        if self.sorted is None:
            return x[:, ::-1] if self.reverses_inputs else x
        x = np.take_along_axis(x, self.sorted.order[..., np.newaxis], 1)
        return np.where(self.sorted.valid[..., np.newaxis], x, x.dtype.type(0)) if self.sorted.passes_over else x

    def show(self, h: Array) -> Array:
        """What was computed (batch, timesteps, units), in the order of processing, as the outputs of the layer."""
        if self.sorted is None:
            return h[:, ::-1] if self.reverses_outputs else h
        h = np.concatenate([h, np.zeros_like(h[:, :1])], axis=1)
        return np.take_along_axis(h, self.sorted.shown[..., np.newaxis], 1)

    def computed(self, outputs: Array) -> Array:
        """The outputs of a layer in the order of processing: `show` undone, but for places that are passed over."""
        if self.sorted is None:
            return outputs[:, ::-1] if self.reverses_outputs else outputs
        return np.take_along_axis(outputs, self.sorted.entry[..., np.newaxis], 1)

    def final(self, h: Array, initial: Array | None = None) -> Array:
        """What was computed at the last valid timestep, (batch, units); where there is none, `initial` or zero."""
        if self.sorted is None:
            return h[:, -1]
        last = self.sorted.last
        start = h.dtype.type(0) if initial is None else initial
        return np.where((last >= 0)[:, np.newaxis], h[np.arange(len(last)), last], start)

    # The same the other way round, for gradients: what depends on a number hands its cotangent back to it.

    def unread(self, dx: Array) -> Array:
        """The gradient of what `read` returns as the gradient of the inputs; zero where they are passed over."""
        if self.sorted is None:
            return dx[:, ::-1] if self.reverses_inputs else dx
        if self.sorted.passes_over:
            dx = np.where(self.sorted.valid[..., np.newaxis], dx, dx.dtype.type(0))
        inputs = np.empty_like(dx)
        np.put_along_axis(inputs, self.sorted.order[..., np.newaxis], dx, 1)
        return inputs

    def unshow(self, outputs: Array, final: Array | None) -> tuple[Array, Array | None]:
        """The cotangents of outputs and final state as one of what was computed, in the order of processing.

        The second part is what falls to the initial state, from sequences without a valid timestep.
        """
        if self.sorted is None:
            h = (outputs[:, ::-1] if self.reverses_outputs else outputs).copy()
            if final is not None:
                h[:, -1] += final
            return h, None
        batch, timesteps, units = outputs.shape
        rows = np.arange(batch)
        h = np.zeros((batch, timesteps + 1, units), outputs.dtype)
        np.add.at(h, (rows[:, np.newaxis], self.sorted.shown), outputs)
        h = h[:, :timesteps]
        if final is None:
            return h, None
        ends = (self.sorted.last >= 0)[:, np.newaxis]
        h[rows, self.sorted.last] += np.where(ends, final, final.dtype.type(0))
        return h, np.where(ends, final.dtype.type(0), final)


def course_of(backward: bool, mask: Mask | None, choices: Choices, aligned: bool | None = None) -> Course:
    """The course of one direction; `mask` is (batch, timesteps).

    `aligned` tells whether a backward direction puts out its outputs in the order of the input; None leaves that to the
    declared choice.
    """
    if aligned is None:
        aligned = choices.backward_outputs == "aligned"
    reverses_outputs = backward and aligned
    if mask is None:
        return Course(backward, reverses_outputs)
    batch, timesteps = mask.shape
    evolves = choices.padded_outputs == "continue"

    # As the direction goes: `steps` are its timesteps from its own beginning, the valid ones first.
    along = mask[:, ::-1] if backward else mask
    steps = np.argsort(~along, axis=1, kind="stable")
    count = along.cumsum(axis=1)  # how many valid timesteps there were up to here
    if evolves:
        shown = np.argsort(steps, axis=1)
    else:
        before = timesteps if choices.padded_outputs == "zero" else count - 1
        shown = np.where(along, count - 1, before)
        shown[shown < 0] = timesteps
    valid = np.arange(timesteps) < count[:, -1:]
    filled = np.zeros_like(mask) if evolves else ~along

    order = timesteps - 1 - steps if backward else steps
    entry = steps
    if reverses_outputs:
        shown, entry, filled = shown[:, ::-1], order, filled[:, ::-1]
    elif backward and evolves:
        # In the order of processing, what goes on evolving stands behind what is valid.
        shown = entry = np.broadcast_to(np.arange(timesteps), (batch, timesteps))
    sorted_ = Sorted(order, entry, valid, shown, count[:, -1] - 1, not evolves, filled)
    return Course(backward, reverses_outputs, sorted_)
