"""What a wrong gradient looks like: the mistakes within whose proven bounds all that a framework gave is.

A mistake is a layer whose way back is cut somewhere, a cotangent that lacks something, or what is made of right
gradients afterwards. Its own gradients are bounded by the same proof (BOUNDS.md, section 14), which holds for whatever
equation is read backwards: in a layer that is cut, one of its numbers is multiplied with 0, and added as a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from typing import Any, TypeVar, cast

import numpy as np

from rnn_conformance.adapters.canonical import Canonical
from rnn_conformance.adapters.two_biases import TwoBiasedRnn
from rnn_conformance.conformance.porting.gates import permuted
from rnn_conformance.reference.arithmetic.bounded import Number
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.arithmetic.taped import Node, Taped
from rnn_conformance.reference.arithmetic.words import Arithmetic, Driven, carry
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import Array

N = TypeVar("N")
Found = dict[str, Expected]
Differentiated = Callable[[Canonical, Output], Found]
"""The gradients of a layer and a cotangent, with their bounds."""


@dataclass(frozen=True)
class GradientMistake:
    """A mistake by its name, with what to look at; `expected` computes what gradients it would give."""

    sentence: str
    advice: str
    expected: Callable[[], Found]


def mistakes(
    canonical: Canonical, cotangent: Output, right: Found, differentiated: Differentiated, precision: Precision
) -> Iterator[GradientMistake]:
    """Every mistake that the way back through this layer could have; `right` is what its gradients should be."""
    yield from _of_results(canonical, right, precision)
    for sentence, lacking in _of_cotangents(cotangent):
        advice = "hand on the gradient of everything that the layer returned"
        yield GradientMistake(sentence, advice, partial(differentiated, canonical, lacking))
    for sentence, cells in _of_ways(canonical):
        layers = tuple(replace(a, cell=cell) for a, cell in zip(canonical.architecture.layers, cells, strict=True))
        cut = replace(canonical, architecture=replace(canonical.architecture, layers=layers))
        advice = "look for what is detached, copied or computed without a gradient there"
        yield GradientMistake(sentence, advice, partial(differentiated, cut, cotangent))


# What is made of right gradients.


def _of_results(canonical: Canonical, right: Found, precision: Precision) -> Iterator[GradientMistake]:
    batch = next(len(expected.value) for name, expected in right.items() if name == "inputs")
    of_weights = [name for name in right if name.startswith("layers")]
    scales = (
        (2.0, "twice what they should be", "something is added up twice"),
        (0.5, "half of what they should be", "look for a mean where there should be a sum"),
        (-1.0, "those of the other sign", "turn the sign round"),
        (1 / batch, "the mean over the sequences of a batch", "add up over the batch; a mean belongs into the loss"),
    )
    for names, told in ((list(right), "all gradients"), (of_weights, "the gradients of the weights")):
        for by, what, advice in scales:
            if by != 1:
                made = partial(_scaled, right, names, by, precision)
                yield GradientMistake(f"{told} are {what}", advice, made)
    for name, expected in right.items():
        made = partial(right.__or__, {name: expected.each(np.zeros_like)})
        yield GradientMistake(f"no gradient reaches {name}", "look for what is detached on the way to it", made)
    if len(canonical.architecture.layers) > 1:
        return
    cell = canonical.architecture.layers[0].cell
    for order in list(permutations(range(len(cell.gates))))[1:]:
        told = f"the gates of the weights' gradients are in the order {' '.join(cell.gates[k] for k in order)}"
        advice = f"put their rows into the order {' '.join(cell.gates)}"
        yield GradientMistake(told, advice, partial(_reordered, right, cell, order))


def _reordered(right: Found, cell: Cell, order: Sequence[int]) -> Found:
    """The blocks of rows of each gate in another order, of the gradients of the weights."""
    return {
        name: expected.each(lambda array: permuted(cell, array, order)) if name.startswith("layers") else expected
        for name, expected in right.items()
    }


def _scaled(right: Found, names: Sequence[str], by: float, precision: Precision) -> Found:
    """Some of the gradients times a number, which is rounded, as the product is."""

    def scaled(expected: Expected) -> Expected:
        value = by * expected.value
        bound = abs(by) * expected.bound
        lost = 3 * precision.eps * (np.abs(value) + bound) + precision.tiny
        return Expected(value, bound + lost, by * expected.without_recurrence)

    return {name: scaled(expected) if name in names else expected for name, expected in right.items()}


# What is not handed back.


def _of_cotangents(cotangent: Output) -> Iterator[tuple[str, Output]]:
    final = cotangent.final_state
    yield "no gradient comes back from the outputs", replace(cotangent, outputs=np.zeros_like(cotangent.outputs))
    if final is None:
        return
    yield (
        "no gradient comes back from the final state",
        replace(cotangent, final_state=each_state(np.zeros_like, final)),
    )
    if any(len(parts) > 1 for parts in final[0]):
        for k, part in enumerate("hc"):
            yield f"no gradient comes back from the final {part}", replace(cotangent, final_state=_without(final, k))
        turned: State = tuple(tuple(parts[::-1] for parts in layer) for layer in final)
        if all(parts[0].shape == parts[1].shape for layer in final for parts in layer):
            yield "the gradients of the final h and c are exchanged", replace(cotangent, final_state=turned)


def _without(state: State, k: int) -> State:
    return tuple(
        tuple(tuple(np.zeros_like(a) if j == k else a for j, a in enumerate(parts)) for parts in layer)
        for layer in state
    )


# Ways back that are cut.


def held(on: Arithmetic[N], number: N) -> N:
    """The number, through which no gradient passes; the same one where nothing is read backwards.

    It becomes 0 times itself plus a number that comes from nowhere.
    """
    if not isinstance(on, Taped) or not isinstance(number, Node):
        return number
    value = on.on.closed(number.value)
    kept: Any = on.add(on.mul(number, on.leaf(Number(np.zeros_like(value.value)))), on.leaf(value))
    return cast(N, kept)


@dataclass(frozen=True)
class CutLstm(Lstm):
    """An LSTM in which no gradient passes through some of its numbers, by the names of `LSTM`."""

    cut: tuple[str, ...] = ()

    def step(self, on: Arithmetic[N], projected: N, state: Sequence[N]) -> tuple[N, ...]:
        h, c = state
        driven = self.drive(on, projected, self._at(on, "h", h))
        assert driven.keep is not None
        assert driven.new is not None
        (o,) = driven.rest
        f, new, o = self._at(on, "f", driven.keep), self._at(on, "new", driven.new), self._at(on, "o", o)
        driven = Driven((o,), f, new)
        (after,) = carry(on, driven, [self._at(on, "c", c)])
        return self.show(on, driven, h, [self._at(on, "shown c", after)]), after

    def _at(self, on: Arithmetic[N], name: str, number: N) -> N:
        return held(on, number) if name in self.cut else number


@dataclass(frozen=True)
class CutGru(Gru):
    """A GRU, likewise."""

    cut: tuple[str, ...] = ()

    def step(self, on: Arithmetic[N], projected: N, state: Sequence[N]) -> tuple[N, ...]:
        (h,) = state
        z, n = self.drive(on, projected, self._at(on, "h", h)).rest
        driven = Driven((self._at(on, "z", z), self._at(on, "n", n)))
        return (self.show(on, driven, self._at(on, "kept h", h), []),)

    def _at(self, on: Arithmetic[N], name: str, number: N) -> N:
        return held(on, number) if name in self.cut else number


@dataclass(frozen=True)
class CutRnn(TwoBiasedRnn):
    """A simple RNN, with one bias or two, in which no gradient passes from a timestep to the one before."""

    def step(self, on: Arithmetic[N], projected: N, state: Sequence[N]) -> tuple[N, ...]:
        (h,) = state
        driven = self.drive(on, projected, held(on, h))
        return (driven.rest[0],)


_BACK = "no gradient flows from a timestep to the one before"
LSTM = {
    "the gradient does not flow through c from a timestep to the one before": ("c",),
    "the gradient does not flow from the gates to h one timestep before": ("h",),
    _BACK: ("c", "h"),
    "the gradient does not flow through the forget gate": ("f",),
    "the gradient does not flow through the input gate and the candidate": ("new",),
    "the gradient does not flow through the output gate": ("o",),
    "the gradient does not flow from the outputs to c": ("shown c",),
}
"""What may be cut in an LSTM."""

GRU = {
    "the gradient does not flow from the gates to h one timestep before": ("h",),
    "the gradient does not flow through the h that is kept": ("kept h",),
    _BACK: ("h", "kept h"),
    "the gradient does not flow through the update gate z": ("z",),
    "the gradient does not flow through the candidate n": ("n",),
}
"""What may be cut in a GRU."""


def _of_ways(canonical: Canonical) -> Iterator[tuple[str, list[Cell]]]:
    """Each thing that may be cut in every layer of a stack."""
    cells: list[Cell] = [layer.cell for layer in canonical.architecture.layers]
    if all(isinstance(cell, Lstm) for cell in cells):
        for sentence, names in LSTM.items():
            yield sentence, [CutLstm(**vars(cell), cut=names) for cell in cells]
    elif all(isinstance(cell, Gru) for cell in cells):
        for sentence, names in GRU.items():
            yield sentence, [CutGru(**vars(cell), cut=names) for cell in cells]
    elif all(cell.name == "simple_rnn" for cell in cells):
        yield _BACK, [CutRnn(cell.activation) for cell in cells]


def explain(given: Mapping[str, Array], wrong: str, found: Iterator[GradientMistake]) -> str:
    """The first mistake within whose bounds all `given` gradients are, where that of `wrong` says something."""
    for mistake in found:
        expected = mistake.expected()
        if _says_something(expected[wrong]) and all(_is_within(given[name], each) for name, each in expected.items()):
            return f' — matches "{mistake.sentence}". To change: {mistake.advice}'
    return ""


def _says_something(expected: Expected) -> bool:
    """Whether most of its numbers have a bound below the size of the gradient; one that is zero has none."""
    reach = float(np.abs(expected.value).max(initial=0))
    return bool(np.mean(expected.bound <= reach) > 1 / 2)


def _is_within(actual: Array, expected: Expected) -> bool:
    if actual.shape != expected.value.shape:
        return False
    return bool((np.abs(actual.astype(np.float64) - expected.value) <= expected.bound).all())
