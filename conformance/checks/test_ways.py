"""Chapter 12 of SPEC.md: every way to run a model, crossed with everything else; saving and training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import chain, product
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import KINDS
from rnn_conformance.conformance.cases.magnitudes import largest_sum
from rnn_conformance.conformance.cases.pairs import Cover, Factors, Row, covering_rows, row_in_words, summary
from rnn_conformance.conformance.checks.crossing import (
    BATCH,
    DEAR,
    FEATURES,
    TIMESTEPS,
    UNROLLED,
    cases_of,
    description_of,
    factors_of,
    in_turn,
    is_allowed,
    known_of,
    lacking,
    mixed_first,
    up_to,
)
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.checks.refusals import attempt
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.conformance.witnesses.deviations import facts_of
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import each_state
from rnn_conformance.reference.model.weights import in_float64

_RELOADED = "reloaded"
_WEIGHTS = "weights"
"""The factor of the types that weights are kept in."""
_FEW_ROWS = 3
"""So many in a thrifty profile, which runs them in the main mode: others for another seed."""
_PARTS = 10
_SMALL = 2.0**8


@pytest.mark.clause("12.1", modes="main", dtypes=("float32",), frozen=False)
def test_features_crossed(check: Check) -> None:
    """Each two features meet at least once, in each way to run a model, and what comes out is right."""
    # With a pin the example is given, and to find what is refused takes long.
    cover, rows = (Cover(), []) if check.pin else _rows(check)
    _examine_rows(check, factors_of(description_of(check), check.cell), cover, rows, partial(cases_of, check))


def _examine_rows(
    check: Check,
    factors: Factors,
    cover: Cover,
    rows: Sequence[Row],
    cases_of_row: Callable[[Row], Iterable[Case]],
    around: str = "",
) -> None:
    """Examine the cases of these rows, and note down which pairs of features were judged."""
    cases: dict[tuple[bool, bool], dict[Case, str]] = {}
    for row in rows:
        of_row = dict.fromkeys(cases_of_row(row), row_in_words(row))
        cases.setdefault((row["initial state"], row["gradient"]), {}).update(of_row)
    try:
        # A search for each: what a case does not say follows from the number of its search.
        for given, gradient in product((False, True), (False, True)):
            of_search = cases.get((given, gradient), {})
            examine = partial(_examine, check, given, gradient)
            check.every(of_search, examine, rows=of_search, initial_state=given, gradient=gradient)
    finally:
        if rows and not check.profile.repeats:
            judged = [row for row in rows if check.evidence.has_judged(row_in_words(row))]
            check.evidence.measured["pairs"] = summary(factors, cover, judged, around)


def _rows(check: Check) -> tuple[Cover, list[Row]]:
    """What to cross with what, as far as the subject offers it, and which of these rows to run.

    Rows that a known deviation carves out are among them, to be left out, and others in which the same features meet.
    """
    if check.profile.thrifty:
        description, known = description_of(check), partial(known_of, check.deviations)
        factors = factors_of(description, check.cell)
        allowed = partial(is_allowed, lacking(description, factors))
        cover = covering_rows(factors, allowed, check.seed, known=known)
        # Without gradients, which take longest to compile.
        spared = ({**row, "gradient": False} for row in mixed_first(cover.rows))
        offered = (row for row in spared if known(row) or not _refused(check, {}, row))
        return cover, up_to(_FEW_ROWS, offered, known)
    cover = _offered_cover(check, check.shapes_seed)
    rows = in_turn(cover.rows)
    # In a soak other numbers each time for a part of the cover: some ways to run a model take long.
    return cover, rows[check.seed % _PARTS :: _PARTS] if check.profile.repeats else rows


@lru_cache(maxsize=1)
def _offered_cover(check: Check, shapes_seed: int) -> Cover:
    """Rows that the subject offers; in a soak, the seeds that have shapes in common share them."""
    factors = factors_of(check.subject.description, check.cell)
    allowed, refused = partial(is_allowed, lacking(check.subject.description, factors)), partial(_refused, check, {})
    known = partial(known_of, check.deviations)
    return covering_rows(factors, allowed, shapes_seed, refused, known, dear=DEAR)


def _refused(check: Check, of_ways: dict[str, str], row: Row) -> str:
    """Why the subject does not offer what a row asks for; empty if it does, and where it breaks: a case shows that.

    Only a call can say that there are no gradients in a way, and compiling it takes long: for rows that are known to be
    wrong, which are not judged, what was last said `of_ways` will do.
    """
    case = next(cases_of(check, row))
    try:
        attempt(partial(check.subject.network, case.architecture))
    except Unsupported as reason:
        return str(reason) or "unsupported"
    if not row["gradient"]:
        return ""
    if row["way"] not in of_ways or not known_of(check.deviations, row):
        of_ways[row["way"]] = ""
        try:
            attempt(partial(check.gradients, case, from_given_state=row["initial state"]))
        except Unsupported as reason:
            of_ways[row["way"]] = str(reason) or "unsupported"
    return of_ways[row["way"]]


def _examine(check: Check, given: bool, gradient: bool, case: Case) -> bool:
    """Judge a call, from an initial state if one is `given`, and if asked for a gradient; of a stateful model two."""
    if not case.architecture.stateful:
        discriminates = check.judge(case, check.run(case, **_state(case, given)), from_given_state=given)
    else:
        subject = check.network(case)
        subject.ask("reset")
        output = subject.run(case.inputs, **case.given)
        discriminates = check.judge(case, output)
        second = case.next()
        ended = None if output.final_state is None else each_state(np.copy, output.final_state)
        again = subject.run(second.inputs, **second.given)
        if ended is not None:  # in the state that the first call returned, as far as it was right, the second begins
            goes_on = replace(case.arrays, inputs=second.inputs, mask=second.mask, initial_state=ended)
            check.judge(case.with_arrays(goes_on), again, from_given_state=True)
        _judge_second_call(check, case, second, output, again)
        subject.ask("reset")
    if gradient:
        found = check.gradients(case, from_given_state=given)
        discriminates |= check.judge_gradients(case, found, from_given_state=given)
    return discriminates


def _state(case: Case, given: bool) -> dict[str, Any]:
    return {"initial_state": case.initial_state} if given else {}


def _judge_second_call(check: Check, first: Case, second: Case, before: Output, output: Output) -> None:
    """Judge the call after the first of a stateful model: to the bit, if its numbers leave no room for rounding.

    Else by the bounds of one call that reads both, where what it returns is what both return, one behind the other.
    """
    architecture = replace(first.architecture, return_state=True)
    activations = {name for layer in architecture.layers for name in layer.cell.activations.values()}
    exact = first.regime == "integers" and activations <= {"relu", "linear"}
    # Where outputs of two directions are multiplied, what the second call starts from may be squared.
    if not exact or largest_sum(first) + largest_sum(second) >= 2.0**10:
        if not first.pattern and all(layer.direction == "forward" for layer in architecture.layers):
            _judge_both_calls(check, first, second, before, output)
        return
    right = partial(network.run, architecture, in_float64(first.weights), choices=check.subject.description.choices)
    state = right(first.inputs, mask=first.mask).final_state
    expected = right(second.inputs, state, mask=second.mask).outputs.astype(dtype_of(check.dtype))
    same_bits("outputs of the second call", output.outputs, expected, "it goes on from the first")


def _judge_both_calls(check: Check, first: Case, second: Case, before: Output, after: Output) -> None:
    whole = replace(first, timesteps=first.timesteps + second.timesteps)
    inputs = np.concatenate([first.inputs, second.inputs], axis=-2 if first.architecture.embedding is None else -1)
    outputs = after.outputs
    if first.architecture.return_sequences:
        outputs = np.concatenate([before.outputs, after.outputs], axis=-2)
    given = whole.with_arrays(replace(whole.arrays, weights=first.weights, inputs=inputs))
    check.judge(given, Output(outputs, after.final_state))


@pytest.mark.clause("12.1", modes="main", dtypes=("float16", "bfloat16", "float64"), thrifty=())
def test_types_crossed(check: Check) -> None:
    """In half types, in mixed precision and in float64, too, every feature and every way to run a model is right."""
    description = check.subject.description
    mixed = check.dtype != "float64" and check.offers("mixed precision")
    plain = factors_of(description, check.cell)
    factors = {**plain, _WEIGHTS: ("", "float32") if mixed else ("",)}
    cover = Cover()
    if not check.pin:
        allowed, known = (
            partial(is_allowed, lacking(description, plain)),
            partial(known_of, check.deviations, dtype=check.dtype),
        )
        refused = partial(_refused, check, {})
        cover = covering_rows(factors, allowed, check.shapes_seed, refused, known, around=_WEIGHTS, dear=DEAR)

    def small(row: Row) -> Iterator[Case]:
        return filter(_stays_small, cases_of(check, row))

    _examine_rows(check, factors, cover, cover.rows, small, _WEIGHTS)


def _stays_small(case: Case) -> bool:
    """Whether no number on the way, nor a gradient, comes near the largest of float16."""
    grows = any(layer.cell.activation in ("relu", "linear") for layer in case.architecture.layers)
    return case.architecture.dtype != "float16" or not grows or largest_sum(case) < _SMALL


@pytest.mark.clause("12.1", modes="main", dtypes=("float64",))
def test_double_in_every_way(check: Check) -> None:
    """In float64, each way to run a model keeps the digits that float32 has not."""
    description = description_of(check)
    cases: list[Case] = []
    ways = description.modes + description.ways
    others = check.some_of(ways[1:], every=max(len(ways) - 1, 1))
    state = check.offers("final state")
    for k, way in enumerate((*ways[:1], *others)):
        of_cells = []
        for turn in range(len(check.cells)):
            cell = check.cells[(k + turn) % len(check.cells)]
            layer, timesteps = Layer(FEATURES, 4, cell), TIMESTEPS if way == UNROLLED else None
            architecture = Architecture((layer,), dtype=check.dtype, mode=way, timesteps=timesteps)
            of_cells.append(Case(architecture, BATCH, TIMESTEPS, "unit", check.seed))
        if check.profile.thrifty:
            sound = (case for case in of_cells if not check.carved_out_by(facts_of(case)))
            cases += dict.fromkeys([of_cells[0], next(sound, of_cells[0])])
        else:
            for case in of_cells:
                returned = (case.returning(sequences=each, state=state) for each in (True, False))
                cases += dict.fromkeys([case, *returned])
    check.every(cases, partial(_judge_double, check))


def _judge_double(check: Check, case: Case) -> bool:
    """Judge a call and, where there is time and the way has them, its gradients."""
    told = check.judge(case, check.run(case))
    if check.offers("gradients") and not check.profile.thrifty:
        try:
            found = check.gradients(case)
        except Unsupported:  # the call is right, and this way has no gradients
            return told
        check.judge_gradients(case, found)
    return told


@pytest.mark.clause("12.2", modes="main")
def test_saved_and_loaded_again(check: Check) -> None:
    """A model that was saved and loaded again has the weights and outputs that it had, bit for bit."""
    description = check.subject.description
    if _RELOADED not in description.modes + description.ways:
        raise Unsupported("the adapter offers no way to save a model and load it again")

    def examine(case: Case) -> bool:
        reloaded = replace(case, architecture=replace(case.architecture, mode=_RELOADED))
        outputs = check.run(case).outputs
        again = check.network(reloaded)
        for (name, array), (_, loaded) in zip(again.weights().arrays(), case.weights.arrays(), strict=True):
            same_bits(name, array, loaded, "it was saved")
        same_bits("outputs of the model loaded again", again.run(case.inputs).outputs, outputs, "the model is the same")
        return bool(outputs.any())

    kinds = ("layer",) if check.profile.thrifty else KINDS
    check.every(chain(few_cases(check, kinds), _of_each_variant(check)), examine)


def _of_each_variant(check: Check) -> Iterator[Case]:
    """A case of each cell that the subject offers, with whatever arrays it has; none in a thrifty profile."""
    for cell in () if check.profile.thrifty else check.cells:
        architecture = Architecture((Layer(2, 3, cell),), dtype=check.dtype, mode=check.mode)
        yield Case(architecture, 2, 4, "unit", check.seed)
