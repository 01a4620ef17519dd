"""Comparing what a subject returned with what the specification expects, element by element."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.arithmetic.rounding import Precision, ulp
from rnn_conformance.reference.bounds.layers import expected_last, expected_layer
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Array, Choices, Mask, Output, State

Place = Callable[[tuple[int, ...]], str]
"""Says in words where an element of an array belongs."""


@dataclass(frozen=True)
class Judgement:
    """The largest error of one comparison: as a share of its bound, absolutely, and where."""

    ratio: float
    error: float
    value: float
    where: str
    dtype: str

    @property
    def ulps(self) -> float:
        """The error in ULP of the exact value; near zero this looks worse than it is."""
        return self.error / float(ulp(np.asarray(self.value), self.dtype))


class NonConforming(AssertionError):
    """A departure from the specification.

    `judgement` says how large, if it was measured against a bound; `details` are arrays for the witness, by name:
    after a comparison `actual`, `expected` and `bound`.
    """

    def __init__(self, message: str, judgement: Judgement | None = None, **details: Any) -> None:
        super().__init__(message)
        self.judgement = judgement
        self.details = details


@dataclass
class Findings:
    """The judgements of one example, and whether a wrong recurrence would have shown in any of them."""

    judgements: list[Judgement] = field(default_factory=list)
    discriminates: bool = False

    def add(self, judgement: Judgement, expected: Expected) -> None:
        """Add the judgement of something that should be as expected."""
        self.judgements.append(judgement)
        shows = np.abs(expected.value - expected.without_recurrence) > expected.bound
        self.discriminates |= bool(shows.any())


def judge(
    case: Case, output: Output, precision: Precision, choices: Choices, *, from_given_state: bool = False
) -> Findings:
    """Judge everything in the output of `case`: outputs and, if there, final states.

    `from_given_state` says that the case's own initial state was given to the call. Raises NonConforming.
    """
    findings = Findings()
    for name, actual, expected in expectations(case, output, precision, choices, from_given_state):
        place = place_in(case.architecture, choices, name)
        findings.add(compare(name, actual, expected.value, expected.bound, case.architecture.dtype, place), expected)
    return findings


def expectations(
    case: Case, output: Output, precision: Precision, choices: Choices, from_given_state: bool
) -> Iterator[tuple[str, Array, Expected]]:
    """Each thing that was returned, its name, and what it should be.

    The subject's own outputs are the sharpest starting point (step residual), where they are to be seen: for the last
    layer, if it returns all of them. Everything else is judged by the propagated bound.
    """
    architecture = case.architecture
    whole: Any = (...,) if architecture.batched else (0,)
    weights = network.widened(case.weights, architecture.dtype)
    state, mask = given_to(case, from_given_state)
    x, state, mask = network.as_batch(architecture, weights, case.inputs, state, mask)
    actual = np.asarray(output.outputs)
    check_shape("outputs", actual, network.output_shape(architecture, case.batch, case.timesteps))
    seen = actual.astype(np.float64).reshape(*x.shape[:2], -1) if architecture.return_sequences else None

    error, finals = None, []
    top = len(architecture.layers) - 1
    for k, layer in enumerate(architecture.layers):
        expected = expected_layer(
            layer,
            weights.layers[k],
            x,
            state[k] if state else None,
            precision,
            mask=mask,
            choices=choices,
            inputs_error=error,
            seen=seen if k == top else None,
        )
        x, error = expected.outputs.value, expected.outputs.bound
        finals.append(expected.final)
    outputs = expected.outputs if architecture.return_sequences else expected_last(layer, expected, precision)
    yield "outputs", actual, outputs.each(lambda array: array[whole])

    if architecture.return_state:
        check_state(case, output)
        for k, (final, given) in enumerate(zip(finals, output.final_state or (), strict=True)):
            for one, h, direction in zip(final, given, ("", ".backward"), strict=False):
                yield f"final_state[{k}]{direction}", h, one.each(lambda array: array[whole])


def given_to(case: Case, from_given_state: bool) -> tuple[State | None, Mask | None]:
    """The initial state, in float64, and the mask of a call; None for what the call is not given."""
    state = None
    if from_given_state:
        state = tuple(tuple(h.astype(np.float64) for h in layer_state) for layer_state in case.initial_state)
    return state, case.mask if case.architecture.is_masked else None


def compare(name: str, actual: Array, value: Array, bound: Array, dtype: str, place: Place | None = None) -> Judgement:
    """Compare element by element; `place` says in words where an element belongs.

    An infinite bound says nothing, of NaN neither. Raises NonConforming where an element is further off than its bound,
    or is NaN.
    """
    if not np.isfinite(value).all():
        raise ValueError(f"the reference's {name} are not finite: this case should not have been drawn")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        error = np.abs(actual.astype(np.float64) - value)
        share = np.where(error == 0, 0.0, error / bound)
    share[np.isnan(share)] = np.inf  # NaN is no number, and so never the right one
    share[np.isposinf(bound)] = 0
    worst = tuple(int(i) for i in np.unravel_index(int(share.argmax()), share.shape))
    where = f"{name}[{', '.join(map(str, worst))}]"
    judgement = Judgement(float(share[worst]), float(error[worst]), float(value[worst]), where, dtype)
    if not judgement.ratio <= 1:
        seen, wanted = _number(actual[worst], dtype), _number(value[worst], dtype)
        words = place(worst) if place else ""
        raise NonConforming(
            f"{where} = {seen}, but should be {_allowed(bound[worst])}{wanted}"
            + (f" ({judgement.ratio:,.4g} times the bound)" if bound[worst] > 0 else "")
            + (f" — {words}" if words else ""),
            judgement,
            actual=actual,
            expected=value,
            bound=bound,
        )
    return judgement


def place_in(architecture: Architecture, choices: Choices, name: str) -> Place:
    """The place of each element of `outputs` or of `final_state[k]` in words: layer, timestep and unit."""
    k = len(architecture.layers) - 1 if name == "outputs" else int(name.partition("[")[2].partition("]")[0])
    layer = architecture.layers[k]
    processing = layer.direction == "backward" and choices.backward_outputs == "processing"

    def words(at: tuple[int, ...]) -> str:
        *before, unit = at
        parts = [f"layer {k}"]
        if name == "outputs" and architecture.return_sequences:
            parts.append(f"{'place in the order of processing' if processing else 'timestep'} {before[-1]}")
        parts.append(f"unit {unit % layer.units}")
        if unit >= layer.units or name.endswith(".backward"):
            parts.append("backward direction")
        return ", ".join(parts)

    return words


def same_bits(name: str, actual: Array, wanted: Array, why: str) -> None:
    """Raise NonConforming, saying `why`, unless two arrays agree in shape, dtype and every bit; -0.0 counts as 0.0."""
    check_shape(name, actual, wanted.shape)
    check_dtype(name, actual, str(wanted.dtype))
    wrong = np.argwhere((actual != wanted) & ~((actual != actual) & (wanted != wanted)))
    if len(wrong):
        at, dtype = tuple(int(i) for i in wrong[0]), str(wanted.dtype)
        raise NonConforming(
            f"{name}{list(at)} = {_number(actual[at], dtype)}, but should be {_number(wanted[at], dtype)}, "
            f"the same bits: {why} ({len(wrong)} of {actual.size} elements differ)",
            actual=actual,
            expected=wanted,
        )


def check_shape(name: str, actual: Any, wanted: tuple[int | None, ...]) -> None:
    """Raise NonConforming unless it is an array of this shape."""
    if not isinstance(actual, np.ndarray):
        raise NonConforming(f"{name} is a {type(actual).__name__}, but should be an array of shape {wanted}")
    if actual.shape != wanted:
        raise NonConforming(f"{name}.shape = {actual.shape}, but should be {wanted}", actual=actual)


def check_dtype(name: str, actual: Array, wanted: str) -> None:
    """Raise NonConforming unless the array has this dtype."""
    if str(actual.dtype) != wanted:
        raise NonConforming(f"{name}.dtype = {actual.dtype}, but should be {wanted}")


def check_state(case: Case, output: Output) -> None:
    """Raise NonConforming unless there is a final state for each layer, of the right shape."""
    layers = case.architecture.layers
    if output.final_state is None or len(output.final_state) != len(layers):
        given = "none" if output.final_state is None else f"{len(output.final_state)}"
        raise NonConforming(f"final states: {given}, but should be {len(layers)}, one for each layer")
    for k, (layer, state) in enumerate(zip(layers, output.final_state, strict=True)):
        directions = ("", ".backward") if layer.is_bidirectional else ("",)
        if len(state) != len(directions):
            raise NonConforming(f"final_state[{k}] has {len(state)} arrays, but should have {len(directions)}")
        shape = (case.batch, layer.units) if case.architecture.batched else (layer.units,)
        for h, direction in zip(state, directions, strict=True):
            check_shape(f"final_state[{k}]{direction}", h, shape)


def _allowed(bound: float) -> str:
    return f"within {bound:.2g} of " if bound > 0 else "exactly "


def _number(value: Any, dtype: str) -> str:
    """As many digits as tell a number from its neighbours."""
    return f"{float(value):.{17 if dtype == 'float64' else 9}g}"
