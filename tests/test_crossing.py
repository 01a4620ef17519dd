"""Features are crossed with the known deviations in sight, and each row has an outcome of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from concluding import concluded
from test_deviations import frozen

from rnn_conformance.adapters.numpy.adapter import adapter as numpy
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.pairs import covering_rows, row_in_words
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.crossing import cases_of, factors_of, is_allowed, known_of, lacking
from rnn_conformance.conformance.checks.test_ways import _examine as crossed
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.evidence import Evidence
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.base import SOUND, MutantAdapter, Sound
from rnn_conformance.conformance.mutants.refusals import InitialStateBroadcast
from rnn_conformance.conformance.mutants.ways import ReloadedWithoutBias, UnrolledOneStepShort
from rnn_conformance.conformance.witnesses.deviations import WORDS, Deviation, facts_of
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output

CROSSED = "test_ways.py::test_features_crossed"


class TwoFaults(ReloadedWithoutBias, UnrolledOneStepShort):
    """Two ways are wrong, each in its own manner."""


def known(**cases: object) -> Deviation:
    """A deviation that carves out these cases."""
    entry = Deviation("known", ["mutant"], ["test_features_crossed"], {}, "why", "cause", "means", cases)
    return replace(entry, frozen=frozen(None, check="test_values.py::test_no_bias"))  # not seen again here


@pytest.mark.parametrize("cell", ["simple_rnn", "gru"])
def test_what_a_row_says_is_what_its_cases_are(cell: str) -> None:
    """A deviation carves out a row exactly where it carves out the cases of the row, whichever word it uses."""
    budget = PROFILES["smoke"], 0, 1, Journal(None)
    check = Check("", Subject(numpy), "float32", "eager", *budget, cell=cell)
    description = check.subject.description
    factors = factors_of(description, cell)
    rows = covering_rows(factors, partial(is_allowed, lacking(description, factors)), 0).rows
    facts = [
        {
            **facts_of(next(cases_of(check, row))),
            "initial_state": {row["initial state"]},
            "gradient": {row["gradient"]},
        }
        for row in rows
    ]
    # What is wrong or square is a matter of refusals, which are not crossed, and a simple RNN has no gates.
    of_gates = {"recurrent_activation", "reset"} if cell == "simple_rnn" else set()
    for word in set(WORDS) - {"wrong", "square"} - of_gates:
        values = {value for of_row in facts for value in of_row[word]}
        assert values, word
        for value in values:
            one = known(**{word: value})
            assert [bool(known_of([one], row)) for row in rows] == [one.covers(of_row) for of_row in facts], one.cases


def test_part_of_a_row() -> None:
    """A part is carved out once it has all that a deviation speaks of, whatever is added to it."""
    one = known(stateful=True, mode="unrolled", masking="mask")
    row = {"way": "unrolled", "stateful": True, "embedding": "mask_zero"}
    assert known_of([one], row) == known_of([one], {**row, "masking": "none", "sequences": False}) == "known"
    assert not any(known_of([one], {name: row[name] for name in row if name != lost}) for lost in row)


def test_rows_of_a_thrifty_profile() -> None:
    """A few in the main mode, without gradients, which take longest to compile."""
    record = concluded(MutantAdapter(Sound, SOUND), CROSSED)
    assert record.verdict == "conforms"
    assert len(record.rows) == 3
    assert all(row.startswith("way eager,") and "gradient False" in row for row in record.rows)


@pytest.mark.slow
def test_each_row_has_an_outcome() -> None:
    """Where two ways are wrong, the rows of both fail, each with its message, and all the others are judged."""
    record = concluded(MutantAdapter(TwoFaults), CROSSED, profile="default", patience=60)
    assert record.verdict == "fails"
    failing = {name: row for name, row in record.rows.items() if row.outcome == "fails"}
    ways = {way for way in SOUND.modes + SOUND.ways if any(name.startswith(f"way {way},") for name in failing)}
    assert ways == {"reloaded", "unrolled"}
    assert {row.outcome for name, row in record.rows.items() if name not in failing} == {"conforms"}
    assert all("should be" in row.said for row in failing.values())
    assert record.message in {row.said for row in failing.values()}
    assert record.measured["pairs"]["rows"] == len(record.rows) > len(failing)


@pytest.mark.slow
def test_rows_that_are_known_are_told_and_others_come_in_their_place() -> None:
    """What a deviation carves out is counted, and named where it is the only way to have a pair."""
    deviation = known(mode="reloaded", use_bias=True)
    record = concluded(MutantAdapter(ReloadedWithoutBias), CROSSED, profile="default", known=[deviation])
    assert (record.verdict, record.deviation) == ("deviation", "known")
    left_out = [name for name, row in record.rows.items() if (row.outcome, row.said) == ("deviation", "known")]
    (extent,) = record.extents
    assert left_out
    assert (extent.cases, extent.of) == (3 * len(left_out), 3 * len(record.rows))
    pairs = record.measured["pairs"]
    assert pairs["rows"] == len(record.rows) - len(left_out)
    assert (pairs["missing"], pairs["known"]) == ([], {"bias True + way reloaded": "known"})
    assert pairs["covered"] == pairs["possible"]


def test_a_deviation_carves_out_one_wrong_thing_and_no_other() -> None:
    """An initial state of one row is known to be accepted; one without a batch is not known, and still fails."""
    wrong = "test_refusals.py::test_wrong_initial_state"
    record = concluded(MutantAdapter(InitialStateBroadcast), wrong, known=[known(wrong="one sequence")])
    assert record.verdict == "fails"
    assert "an initial state of shape (3,)" in record.message
    (extent,) = record.extents
    assert 0 < extent.cases < extent.of


class SaturatingForgets(Sound):
    """A stateful layer with tanh starts each call from zeros."""

    def run(self, inputs: Inputs, **given: object) -> Output:
        if self.architecture.layers[0].cell.activation == "tanh":
            self.state = None
        return super().run(inputs, **given)  # type: ignore[arg-type]


@pytest.mark.slow
def test_second_call_is_judged_wherever_the_first_tells_its_state() -> None:
    """Also where rounding leaves no bits to compare, as with tanh."""
    record = concluded(MutantAdapter(SaturatingForgets), CROSSED, profile="default", patience=60)
    failing = [name for name, row in record.rows.items() if row.outcome == "fails"]
    told = {"stateful True", "final state True", "variant tanh"}
    assert failing
    assert {name for name in record.rows if told <= set(name.split(", "))} == set(failing)


def test_second_call_is_judged_where_nothing_tells_its_state() -> None:
    """One call that reads what both read returns what both return, and says what the second starts from."""
    check = Check("", Subject(numpy), "float32", "eager", PROFILES["smoke"], 0, 1, Journal(None), cell="gru")
    architecture = Architecture((Layer(3, 4, Gru()),), return_sequences=False, stateful=True, batch=2)
    case = Case(architecture, 2, 5, "unit", 0)
    assert crossed(check, False, False, case)
    forgets = replace(check, subject=Subject(MutantAdapter(SaturatingForgets)), evidence=Evidence(), cell="simple_rnn")
    simple = replace(case, architecture=replace(architecture, layers=(Layer(3, 4),)))
    with pytest.raises(NonConforming, match="outputs"):
        crossed(forgets, False, False, simple)


def test_rows_of_a_gated_cell() -> None:
    """Its variants take the place of activations, and one stack has the other cells beside it."""
    factors = factors_of(numpy.describe(), "gru")
    mixed = factors["stack"][-1]
    assert [str(cell.name) for cell in mixed.cells(Gru("relu"))] == ["lstm", "gru", "simple_rnn"]
    assert factors["variant"] == numpy.describe().variants_of("gru")
    row = {**{name: values[0] for name, values in factors.items()}, "stack": mixed, "variant": Gru(reset="before")}
    layers = next(cases_of(Check("", Subject(numpy), "float32", "eager", PROFILES["smoke"], 0, 1, Journal(None)), row))
    assert [layer.cell for layer in layers.architecture.layers] == [Lstm(), Gru(reset="before"), SimpleRnn()]
    assert "variant tanh reset before" in row_in_words(row)
    assert [str(stack) for stack in factors_of(numpy.describe(), "simple_rnn")["stack"]][-1] == "two of other widths"


def test_few_rows_meet_several_cells() -> None:
    """In smoke, too, a run about a gated cell has a stack of several cells; LSTMs with a projection are crossed."""
    for cell in ("lstm", "gru"):
        rows = concluded(numpy, CROSSED, cell=cell).rows
        assert len(rows) == 3
        assert "stack of several cells" in next(iter(rows))
    assert "of projected outputs" in map(str, factors_of(numpy.describe(), "lstm")["stack"])
    assert "of projected outputs" not in map(str, factors_of(numpy.describe(), "gru")["stack"])
