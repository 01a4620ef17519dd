"""What mutants of gated cells are made of: their layers in small steps, over states of several parts (gates_*.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any, ClassVar

import numpy as np

from rnn_conformance.adapters.numpy.adapter import VARIANTS
from rnn_conformance.adapters.numpy.dropout import Dropping
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import SOUND, Mutant, MutantAdapter, Sound
from rnn_conformance.reference.arithmetic.plain import by_sequence, by_time
from rnn_conformance.reference.arithmetic.taped import Node
from rnn_conformance.reference.arithmetic.words import Arithmetic, N
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers.gradients import (
    Direct,
    Part,
    Pass,
    Returned,
    back_through,
    hidden_cotangents,
    split,
    unshown,
)
from rnn_conformance.reference.layers.masking import course_of
from rnn_conformance.reference.model.architecture import Choices, Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import DirectionState, LayerState, State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

GATED = replace(
    SOUND,
    framework="A gated layer in small steps",
    cells=tuple(CELLS),
    variants=VARIANTS,
    choices=Choices(recurrent_dropout_gates="own"),
)
"""What a mutant of a gated cell says of itself, if it is not run in the place of another subject.

Its gates drop the same inputs, and each of them other numbers of the state, so that either can be got wrong.
"""


class Gated(Sound):
    """The layer of the specification once more, without a fault, whatever its cell: a loop over time, in its words.

    The equation is written once, for any arithmetic: gradients are computed by it, too. In it, numbers are (units,
    batch), or (timesteps, units, batch) where gradients come back through all of them; all other arrays are as in
    `Sound`. A direction's state has several parts, of which h is the first.
    """

    of_cell: ClassVar[str]
    """The name of the cell that it is about; those of other cells are sound in every mutant."""

    mask: Mask | None = None
    backward = False
    """The mask of the direction that runs, in the order of the input, and whether it goes from the end."""

    dropping: Mapping[str, Array] = {}
    """By the name of a kernel, what the inputs of each gate are multiplied with where it has a mask of its own."""

    # The equation

    def project(self, on: Arithmetic[N], layer: Layer, x: N) -> N:
        """What the inputs have to say, for all timesteps at once."""
        return layer.cell.project(on, x)

    def equation(self, on: Arithmetic[N], layer: Layer, x: N, state: Sequence[N]) -> tuple[N, ...]:
        """The state one timestep on, from what the inputs have to say there."""
        return layer.cell.step(on, x, state)

    def held(self, a: N) -> N:
        """The same number, as a constant to the way back."""
        return Node(a.value) if isinstance(a, Node) else a  # type: ignore[return-value]

    def nothing(self, a: Any) -> Any:
        """Zeros in the place of a number."""
        return Node(a.value * 0) if isinstance(a, Node) else a * 0

    # One direction

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        passes = [
            self.one_way(layer, one, x, start[j] if start else None, mask, j == 1 or layer.direction == "backward")
            for j, one in enumerate(weights.directions)
        ]
        self.passes = [*self.passes, passes]
        outputs = [self.shown(one) for one in passes]
        joined = self.join(layer.merge, *outputs) if layer.is_bidirectional else outputs[0]
        return joined, tuple((one.final, *(part.final for part in one.hidden)) for one in passes)

    def one_way(
        self,
        layer: Layer,
        weights: LayerWeights,
        x: Array,
        start: DirectionState | None,
        mask: Mask | None,
        backward: bool,
    ) -> Pass:
        """One direction of a layer, which reads x and the mask in the order of the input."""
        self.mask, self.backward = mask, backward
        course = course_of(backward, mask, self.choices.for_layer(layer), aligned=layer.is_bidirectional or None)
        read = course.read(x)
        dropping: dict[str, Array] = {}
        if self.random is not None:
            masks, _ = self.choices.masks(layer)
            dropped = self.scales((masks, *read.shape), layer.dropout)
            if masks == 1:
                read = read * dropped[0]
            else:
                dropping["W"] = np.stack([by_time(each) for each in dropped])
        self.dropping = dropping
        first = self.zeros(layer, x) if start is None else start
        h, *hidden = (
            Part(np.concatenate([begin[:, np.newaxis], part[:, :-1]], axis=1), part, course.final(part, begin))
            for begin, part in zip(first, self.through_time(layer, weights, read, first), strict=True)
        )
        return self.ended(layer, Pass(weights, course, read, h.before, h.values, h.final, tuple(hidden)), x)

    def ended(self, layer: Layer, one: Pass, x: Array) -> Pass:
        """What has become of a direction that read x, (batch, timesteps, features), when it has run."""
        return one

    def zeros(self, layer: Layer, x: Array) -> DirectionState:
        """The state before the first timestep, where none is given."""
        return tuple(np.zeros((len(x), width), x.dtype) for width in layer.cell.widths(layer.units).values())

    def through_time(self, layer: Layer, weights: LayerWeights, x: Array, start: DirectionState) -> tuple[Array, ...]:
        """All values of each part of the state (batch, timesteps, width), in the order of processing."""
        on = self.words(layer, weights)
        on.scales |= self.dropping
        projected = self.project(on, layer, by_time(x))
        state = tuple(np.ascontiguousarray(part.T) for part in start)
        shape = (self.choices.masks(layer)[1], *x.shape[:2], layer.of_direction)
        kept = None if self.random is None else self.scales(shape, layer.recurrent_dropout).swapaxes(1, 3)
        states = []
        for t, x_t in enumerate(projected):
            if kept is not None:
                on.scales["U"] = kept[:, :, t]
            state = self.equation(on, layer, x_t, self.handed_on(layer, state, t))
            state = tuple(map(self.kept, state))
            states.append(state)
        return tuple(by_sequence(np.stack(part)) for part in zip(*states, strict=True))

    def words(self, layer: Layer, weights: LayerWeights) -> Dropping:
        """The arithmetic of one direction's loop over time."""
        return Dropping(weights.named, layer.cell.gates)

    def handed_on(self, layer: Layer, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        """The state from which timestep t of the order of processing begins."""
        return state

    # Gradients

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        self.compute(inputs, start, mask)
        given = Output(np.asarray(cotangent.outputs, self.computing), self.read_state(cotangent.final_state))
        d_outputs, d_final = self.cotangents(given)
        d_hidden = hidden_cotangents(self.architecture, given, self.passes)
        d_weights: list[LayerWeights] = []
        d_initial: list[LayerState] = []
        for k, layer in reversed(list(enumerate(self.architecture.layers))):
            self.position = k
            d_each = split(layer, d_outputs, [self.shown(one) for one in self.passes[k]])
            found = [
                self.way_back(layer, one, [one.course.unshow(d, d_h), *unshown(one, d_parts)])
                for one, d, d_h, d_parts in zip(self.passes[k], d_each, d_final[k], d_hidden[k], strict=True)
            ]
            both = zip(self.passes[k], found, strict=True)
            d_outputs = reduce(np.add, (one.course.unread(d.inputs) for one, d in both))
            d_weights.insert(0, LayerWeights.of([d.weights for d in found]))
            d_initial.insert(0, tuple(d.initial for d in found))
        table = None if self._loaded.embedding is None else self.back_to_table(inputs, d_outputs)
        if not self.architecture.batched:
            d_outputs, d_initial = d_outputs[0], list(each_state(lambda h: h[0], d_initial))
        return Gradients(
            self._loaded.map(lambda kept, d: d.astype(kept.dtype), Weights(tuple(d_weights), table)),
            self.rounded(d_outputs) if table is None else None,
            None if start is None else each_state(self.rounded, tuple(d_initial)),
        )

    def way_back(self, layer: Layer, one: Pass, direct: Direct) -> Returned:
        """Backpropagation through one direction, from what L directly depends on, for each part of the state."""
        return back_through(AsRun(self, layer), one, direct)


@dataclass(frozen=True)
class AsRun:
    """The equation of a layer as a network has it."""

    network: Gated
    layer: Layer

    @property
    def gates(self) -> tuple[str, ...]:
        return self.layer.cell.gates

    def project(self, on: Arithmetic[N], x: N) -> N:
        return self.network.project(on, self.layer, x)

    def step(self, on: Arithmetic[N], projected: N, state: Sequence[N]) -> tuple[N, ...]:
        return self.network.equation(on, self.layer, projected, state)


class LstmLayer(Gated):
    """The LSTM, its equation in three steps: gates, what is carried, and what is shown."""

    of_cell = Lstm.name

    def equation(self, on: Arithmetic[N], layer: Layer, x: N, state: Sequence[N]) -> tuple[N, ...]:
        if not isinstance(layer.cell, Lstm):
            return super().equation(on, layer, x, state)
        h, c = state
        i, f, g, o = self.gates(on, layer.cell, x, h, c)
        carried = self.carry(on, i, f, g, c)
        return self.show(on, layer.cell, o, carried), carried

    def gates(self, on: Arithmetic[N], cell: Lstm, x: N, h: N, c: N) -> tuple[N, N, N, N]:
        """i, f, g and o, from what the inputs have to say and the state before."""
        i, f, g, o = self.pre_activations(on, cell, x, h, c)
        return self.gate(on, cell, i), self.gate(on, cell, f), self.new(on, cell, g), self.gate(on, cell, o)

    def pre_activations(self, on: Arithmetic[N], cell: Lstm, x: N, h: N, c: N) -> tuple[N, N, N, N]:
        """What i, f, g and o are the activations of."""
        i, f, g, o = on.split(on.add(x, on.affine([("U", h)])), (1, 1, 1, 1))
        return i, on.shift(f, (cell.forget_bias,)) if cell.forget_bias else f, g, o

    def gate(self, on: Arithmetic[N], cell: Lstm, z: N) -> N:
        """A gate of its pre-activation."""
        return on.act(cell.recurrent_activation, z)

    def new(self, on: Arithmetic[N], cell: Lstm, g: N) -> N:
        """The candidate of its pre-activation."""
        return on.act(cell.activation, g)

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        """c_t of c_{t-1}."""
        return on.add(on.mul(f, c), on.mul(i, g))

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        """h_t of c_t."""
        h = on.mul(o, on.act(cell.output_activation, c))
        return on.affine([("P", h)]) if cell.projection else h


class GruLayer(Gated):
    """The GRU, its equation in three steps: gates, the candidate, and what is shown."""

    of_cell = Gru.name

    def equation(self, on: Arithmetic[N], layer: Layer, x: N, state: Sequence[N]) -> tuple[N, ...]:
        if not isinstance(layer.cell, Gru):
            return super().equation(on, layer, x, state)
        (h,) = state
        of_gates, of_n = on.split(x, (2, 1))
        z, r = self.gates(on, layer.cell, of_gates, h)
        n = self.candidate(on, layer.cell, of_n, r, h)
        return (self.show(on, layer.cell, z, n, h),)

    def gates(self, on: Arithmetic[N], cell: Gru, x: N, h: N) -> tuple[N, N]:
        """z and r, from what the inputs have to say of them and the state before."""
        biases = ["c"] if cell.recurrent_bias == "all" else []
        z, r = on.split(on.add(x, on.affine([("U", h)], biases, ("z", "r"))), (1, 1))
        return self.gate(on, cell, z), self.gate(on, cell, r)

    def gate(self, on: Arithmetic[N], cell: Gru, z: N) -> N:
        """A gate of its pre-activation."""
        return on.act(cell.recurrent_activation, z)

    def candidate(self, on: Arithmetic[N], cell: Gru, x: N, r: N, h: N) -> N:
        """n, from what the inputs have to say of it, the reset gate and the state before."""
        reset = self.reset_after if cell.reset == "after" else self.reset_before
        return self.new(on, cell, on.add(x, reset(on, r, h)))

    def reset_after(self, on: Arithmetic[N], r: N, h: N) -> N:
        return on.mul(r, on.affine([("U", h)], ["c"], ("n",)))

    def reset_before(self, on: Arithmetic[N], r: N, h: N) -> N:
        return on.affine([("U", on.mul(r, h))], ["c"], ("n",))

    def new(self, on: Arithmetic[N], cell: Gru, n: N) -> N:
        """The candidate of its pre-activation."""
        return on.act(cell.activation, n)

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        """h_t of h_{t-1}."""
        return on.lerp(z, h, n) if cell.keep == "z" else on.lerp(z, n, h)


class Masked(Gated):
    """Under a mask something else becomes of the state: at gaps, or at its end."""

    gaps: Mask | None = None
    """(timesteps, batch), True at places before which timesteps of the sequence were passed over."""

    def ended(self, layer: Layer, one: Pass, x: Array) -> Pass:
        if self.mask is None or layer.cell.name != self.of_cell:
            return one
        parts = (Part(one.h_before, one.h, one.final), *one.hidden)
        final, *hidden = self.ends(one, parts, x, self.mask)
        others = (replace(part, final=last) for part, last in zip(one.hidden, hidden, strict=True))
        return replace(one, final=final, hidden=tuple(others))

    def ends(self, one: Pass, ended: Sequence[Part], x: Array, mask: Mask) -> Sequence[Array]:
        """Each part of the final state under a mask."""
        return [part.final for part in ended]

    def through_time(self, layer: Layer, weights: LayerWeights, x: Array, start: DirectionState) -> tuple[Array, ...]:
        self.gaps = None if self.mask is None else _gaps(self.mask, self.backward)
        on = self.words(layer, weights)
        zero = self.project(on, layer, np.zeros_like(x[:, 0]).T)
        self.idle: Callable[[tuple[Array, ...]], tuple[Array, ...]] = partial(self.equation, on, layer, zero)
        return super().through_time(layer, weights, x, start)

    def handed_on(self, layer: Layer, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        state = super().handed_on(layer, state, t)
        if self.gaps is None or layer.cell.name != self.of_cell or not self.gaps[t].any():
            return state
        passed = self.passed_over(state, t)
        return tuple(np.where(self.gaps[t], new, old) for new, old in zip(passed, state, strict=True))

    def passed_over(self, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        """The state after timesteps that are not valid, before place t; `idle` gives that after one without input."""
        return state


def _gaps(mask: Mask, backward: bool) -> Mask:
    """Where timesteps are passed over before a place, (timesteps, batch), of a mask (batch, timesteps)."""
    steps = np.argsort(~(mask[:, ::-1] if backward else mask), axis=1, kind="stable")
    return (np.diff(steps, axis=1, prepend=-1) > 1).T


SOUND_OF: dict[str, type[Sound]] = {"simple_rnn": Sound, "lstm": LstmLayer, "gru": GruLayer}
"""The layer without a fault, by the name of its cell."""


def cell_of(fault: Mutant) -> str:
    """The name of the cell that a mutant is about."""
    return fault.network.of_cell if issubclass(fault.network, Gated) else "simple_rnn"


def adapter_of(fault: Mutant) -> MutantAdapter:
    """The adapter that has this fault, as a subject of its own."""
    return fault.adapter(GATED if issubclass(fault.network, Gated) else SOUND)
