"""A failure hides no other: a check goes on past it, for so long, and tells failures of different kinds apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from concluding import concluded
from test_deviations import frozen

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import FunctionAdapter
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.failures import kind_of
from rnn_conformance.conformance.engine.verdicts import Kept, Outcome
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.base import WAYS, MutantAdapter, Sound
from rnn_conformance.conformance.mutants.ways import ReloadedWithoutBias, UnrolledOneStepShort
from rnn_conformance.conformance.witnesses.deviations import Deviation
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import Array, Weights

RECURRENCE = "test_values.py::test_recurrence"
DESCRIPTION = Description("Faulty", {"framework": "2.4"})


def two_faults(a: Architecture, w: Weights, x: np.ndarray, h: State | None) -> Output:
    """Its tanh is off, and its relu raises an exception."""
    if a.layers[0].cell.activation == "relu":
        raise ValueError("no relu of 3 units")
    output = network.run(a, w, x, h)
    off = output.outputs.dtype.type(0.99 if a.layers[0].cell.activation == "tanh" else 1)
    return replace(output, outputs=output.outputs * off)


def in_single(a: Architecture, w: Weights, x: np.ndarray, h: State | None) -> Output:
    """Everything is computed in float32, and returned in the dtype that was asked for."""
    narrow = replace(a, dtype="float32")
    state = each_state(lambda array: array.astype(np.float32), h)
    output = network.run(narrow, w.map(lambda array: array.astype(np.float32)), x.astype(np.float32), state)
    wide = each_state(lambda array: array.astype(a.dtype), output.final_state)
    return Output(output.outputs.astype(a.dtype), wide)


def in_single_and_wrong(a: Architecture, w: Weights, x: np.ndarray, h: State | None) -> Output:
    """The same, and off by a thousandth: more than float32 accounts for."""
    output = in_single(a, w, x, h)
    return replace(output, outputs=output.outputs * 0.999)


def adapter(run: object = two_faults) -> FunctionAdapter:
    return FunctionAdapter(run, DESCRIPTION)  # type: ignore[arg-type]


IN_SINGLE = replace(
    Deviation("in-single", ["faulty"], ["*"], {"framework": ">=0"}, "why", "cause", "means", {"dtype": "float64"}),
    precision="float32",
    frozen=frozen(None, check="test_values.py::test_no_bias"),
)


def test_failures_of_two_kinds() -> None:
    """The first keeps its place, the other is beside it; without patience the first is all there is."""
    record = concluded(adapter(), RECURRENCE, patience=60)
    (other,) = record.further
    assert record.verdict == "fails"
    assert sorted(message.split(" ")[0] for message in (record.message, other.message)) != ["outputs", "outputs"]
    assert any("ValueError: no relu" in message for message in (record.message, other.message))
    assert other.case != record.case
    assert concluded(adapter(), RECURRENCE).further == []


def test_every_example_of_a_check_is_run() -> None:
    """Also after one that fails; what fails alike is counted, not told again."""
    ran = []

    def checked(check: Check) -> None:
        for k in range(6):
            check.example(lambda k=k: examine(k))  # type: ignore[misc]

    def examine(k: int) -> bool:
        ran.append(k)
        if k in (1, 2):
            raise NonConforming(f"there should be {k}")
        if k == 4:
            raise NonConforming("another matter")
        return True

    record = concluded(adapter(), checked, clauses=["1.1"], patience=60)
    assert ran == list(range(6))
    assert (record.message, [(f.message, f.times) for f in record.further]) == (
        "there should be 1",
        [("another matter", 1)],
    )
    assert record.examples == 3


def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """So long after the first failure nothing more is looked for."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    ran = []

    def checked(check: Check) -> None:
        for k in range(10):
            check.example(lambda k=k: examine(k))  # type: ignore[misc]

    def examine(k: int) -> bool:
        ran.append(k)
        now[0] += 10
        raise NonConforming("kind " + "abcdefghij"[k])

    record = concluded(adapter(), checked, clauses=["1.1"], patience=35)
    assert ran == [0, 1, 2, 3, 4]
    assert [each.message for each in record.further] == ["kind b", "kind c", "kind d", "kind e"]


def test_what_is_wrong_with_a_check_after_a_failure_is_told() -> None:
    """A failure may leave a check without what it needs; the failure stands, and the rest is not passed over."""

    def checked(check: Check) -> None:
        found: dict[str, int] = {}

        def examine() -> bool:
            raise NonConforming("there is nothing")

        check.example(examine)
        check.observe(str(found["answer"]))

    record = concluded(adapter(), checked, clauses=["1.1"], patience=60)
    assert (record.verdict, record.message) == ("fails", "there is nothing")
    assert [each.message for each in record.further] == ["after that the check could not go on: KeyError: 'answer'"]


def test_each_kind_has_a_witness_of_its_own() -> None:
    """With its own case, and a number that tells its file from the first one's."""
    seen: Mapping[int, Case | None] = {}

    def keep(item: Item, outcome: Outcome) -> Kept:
        assert outcome.number not in seen
        seen[outcome.number] = outcome.case  # type: ignore[index]
        return Kept(f"witnesses/{outcome.number}.json")

    record = concluded(adapter(), RECURRENCE, patience=60, keep=keep)
    (other,) = record.further
    assert (record.witness_file, other.witness_file) == ("witnesses/0.json", "witnesses/1.json")
    assert (str(seen[0]), str(seen[1])) == (record.case, other.case)


def test_ways_are_told_apart() -> None:
    """The same in two ways to run a model may well be two faults: each has its place."""

    class Two(ReloadedWithoutBias, UnrolledOneStepShort):
        pass

    check = "test_ways.py::test_double_in_every_way"
    record = concluded(MutantAdapter(Two), check, dtype="float64", profile="default", patience=60)
    assert record.verdict == "fails"
    failures = (record.case, *(further.case for further in record.further))
    ways = {next(way for way in WAYS if f" {way}," in case) for case in failures}
    assert ways == {"reloaded", "unrolled"}


def test_kinds_are_told_by_words() -> None:
    """Other numbers are the same kind; another type of exception is not."""
    one, two = (
        NonConforming("outputs[0, 1] = 3.5, but should be 1e-07"),
        NonConforming("outputs[2, 0] = nan, but should be 4"),
    )
    assert kind_of(one) == kind_of(two)
    assert kind_of(one) != kind_of(NonConforming("final_state[0] = 3.5, but should be 4"))


def test_precision_that_is_known_takes_the_place_of_its_own() -> None:
    """What is only computed in float32 deviates; judged by that, it conforms, and nothing is left out."""
    record = concluded(adapter(in_single), RECURRENCE, dtype="float64", known=[IN_SINGLE])
    assert (record.verdict, record.deviation) == ("deviation", "in-single")
    assert record.message == "judged at float32's roundoff: dtype float64"
    (extent,) = record.extents
    assert extent.judged_at == "float32's roundoff"
    assert 0 < extent.cases <= extent.of == record.examples
    assert record.worst is not None
    assert record.worst.ratio <= 1


def test_precision_that_is_known_hides_no_other_fault() -> None:
    """What float32 does not account for fails, and its witness says by which arithmetic it was judged."""
    kept = []

    def keep(item: Item, outcome: Outcome) -> Kept:
        kept.append(outcome.failure.computed_in if outcome.failure else "")
        return Kept()

    record = concluded(adapter(in_single_and_wrong), RECURRENCE, dtype="float64", known=[IN_SINGLE], keep=keep)
    assert record.verdict == "fails"
    assert kept == ["float32"]


def test_precision_that_is_not_needed() -> None:
    """A check that passes as it is conforms, though its cases are those of the deviation."""
    record = concluded(adapter(network.run), RECURRENCE, dtype="float64", known=[IN_SINGLE])
    assert (record.verdict, record.extents) == ("conforms", [])


def test_precision_is_no_excuse_for_wrong_shapes() -> None:
    """Only what is measured against a precision can pass by another."""

    def narrow(a: Architecture, w: Weights, x: np.ndarray, h: State | None) -> Output:
        output = in_single(a, w, x, h)
        return replace(output, outputs=output.outputs.astype(np.float32))

    record = concluded(adapter(narrow), "test_shapes.py::test_outputs", dtype="float64", known=[IN_SINGLE])
    assert (record.verdict, record.message) == ("fails", "outputs.dtype = float32, but should be float64")


class StatesOfBothDirectionsRaise(Sound):
    """A bidirectional layer that returns its final states cannot be called."""

    def run(self, inputs: Inputs, **given: object) -> Output:
        if self.architecture.return_state and self.architecture.layers[0].is_bidirectional:
            raise TypeError("unsupported operand type(s) for *: 'generator' and 'int'")
        return super().run(inputs, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        ("test_directions.py::test_bidirectional", "conforms"),
        ("test_directions.py::test_merge_modes", "conforms"),
        ("test_directions.py::test_last_output_of_directions", "conforms"),
        ("test_directions.py::test_final_states_of_directions", "fails"),
        ("test_ways.py::test_features_crossed", "fails"),
    ],
)
def test_states_are_a_matter_of_the_checks_about_them(check: str, verdict: str) -> None:
    """A fault of final states fails the checks of these, and hides nothing from those of outputs."""
    assert (
        concluded(
            MutantAdapter(StatesOfBothDirectionsRaise), check, profile="soak" if verdict == "conforms" else "default"
        ).verdict
        == verdict
    )


def test_outputs_that_are_wrong_only_beside_states() -> None:
    """The case that is to blame is one without states, where the check is not about them."""

    class Off(StatesOfBothDirectionsRaise):
        def returned(self, outputs: Array, final: State) -> Output:
            return super().returned(outputs * np.float32(0.99), final)

    record = concluded(MutantAdapter(Off), "test_directions.py::test_bidirectional", profile="default")
    assert (record.verdict, "and state" in record.case) == ("fails", False)
