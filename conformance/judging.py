"""Comparing what a subject returned with what the specification expects, element by element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnn_conformance.conformance.cases import Case, in_float64
from rnn_conformance.reference import network
from rnn_conformance.reference.architecture import Array, Output
from rnn_conformance.reference.bounds import Expected, propagated_bound, step_residual
from rnn_conformance.reference.rounding import Precision, ulp


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

    `judgement` says how large, if it was measured against a bound; `details` are arrays for the witness, by name.
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


def judge(case: Case, output: Output, precision: Precision, *, from_given_state: bool = False) -> Findings:
    """Judge everything in the output of `case`: outputs and, if there, final states.

    `from_given_state` says that the case's own initial state was given to the call. Raises NonConforming.
    """
    findings = Findings()
    for name, actual, expected in expectations(case, output, precision, from_given_state):
        findings.judgements.append(compare(name, actual, expected.value, expected.bound, case.architecture.dtype))
        findings.discriminates |= bool((np.abs(expected.value - expected.without_recurrence) > expected.bound).any())
    return findings


def expectations(
    case: Case, output: Output, precision: Precision, from_given_state: bool
) -> Iterator[tuple[str, Array, Expected]]:
    """Each thing that was returned, its name, and what it should be.

    The subject's own outputs are the sharpest starting point (step residual), where they are to be seen: for the last
    layer, if it returns all of them. Everything else is judged by the propagated bound.
    """
    architecture = case.architecture
    single = not architecture.batched
    weights = [in_float64(layer) for layer in case.weights.layers]
    x: Array = network.embed(case.weights, case.inputs).astype(np.float64)
    x = x[np.newaxis] if single else x
    error = None
    expected_finals = []
    actual_outputs = np.asarray(output.outputs)
    check_shape("outputs", actual_outputs, network.output_shape(architecture, case.batch, case.timesteps))
    for k, layer in enumerate(architecture.layers):
        start = case.initial_state[k][0].astype(np.float64) if from_given_state else None
        start = start[np.newaxis] if single and start is not None else start
        is_last = k == len(architecture.layers) - 1
        if is_last and architecture.return_sequences:
            seen = actual_outputs.astype(np.float64)
            expected = step_residual(
                layer, weights[k], x, seen[np.newaxis] if single else seen, start, precision, error
            )
        else:
            expected = propagated_bound(layer, weights[k], x, start, precision, error)
        x, error = expected.value, expected.bound
        expected_finals.append(expected.last())
    wanted = expected if architecture.return_sequences else expected.last()
    yield "outputs", actual_outputs, _without_batch(wanted) if single else wanted

    if architecture.return_state:
        check_state(case, output)
        for k, (final, (h,)) in enumerate(zip(expected_finals, output.final_state or (), strict=True)):
            yield f"final_state[{k}]", h, _without_batch(final) if single else final


def compare(name: str, actual: Array, value: Array, bound: Array, dtype: str) -> Judgement:
    """Compare element by element. Raises NonConforming where an element is further off than its bound, or is NaN."""
    if not np.isfinite(value).all():
        raise ValueError(f"the reference's {name} are not finite: this case should not have been drawn")
    error = np.abs(actual - value)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(error == 0, 0.0, error / bound)
    share[np.isnan(share)] = np.inf  # NaN is no number, and so never the right one
    worst = np.unravel_index(int(share.argmax()), share.shape)
    where = f"{name}[{', '.join(map(str, worst))}]"
    judgement = Judgement(float(share[worst]), float(error[worst]), float(value[worst]), where, dtype)
    if not judgement.ratio <= 1:
        seen, wanted = _number(actual[worst], dtype), _number(value[worst], dtype)
        raise NonConforming(
            f"{where} = {seen}, but should be {_allowed(bound[worst])}{wanted}"
            + (f" ({judgement.ratio:,.4g} times the bound)" if bound[worst] > 0 else ""),
            judgement,
            actual=actual,
            expected=value,
        )
    return judgement


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
        if len(state) != 1:
            raise NonConforming(f"final_state[{k}] has {len(state)} arrays, but should have 1")
        shape = (case.batch, layer.units) if case.architecture.batched else (layer.units,)
        check_shape(f"final_state[{k}]", state[0], shape)


def _without_batch(expected: Expected) -> Expected:
    return Expected(expected.value[0], expected.bound[0], expected.without_recurrence[0])


def _allowed(bound: float) -> str:
    return f"within {bound:.2g} of " if bound > 0 else "exactly "


def _number(value: Any, dtype: str) -> str:
    """As many digits as tell a number from its neighbours."""
    return f"{value:.{17 if dtype == 'float64' else 9}g}"
