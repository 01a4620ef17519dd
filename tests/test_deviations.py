"""Known deviations: their cases leave a check, the rest stays tested, and what no longer occurs is found out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pytest

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import FunctionAdapter, from_function
from rnn_conformance.adapters.protocol import Adapter
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.test_activations import test_range as activations_in_range
from rnn_conformance.conformance.checks.test_values import test_recurrence as recurrence
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.engine.verdicts import conclude
from rnn_conformance.conformance.running import session
from rnn_conformance.conformance.running.session import Session
from rnn_conformance.conformance.witnesses.deviations import (
    WORDS,
    Deviation,
    facts_given,
    facts_of,
    here,
    parse,
)
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.conformance.witnesses.witness import Witness, witness_of
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Weights
from rnn_conformance.reports.records.records import Cause, CheckRecord, read

ITEM = Item("test_values.py::test_recurrence[float32-eager]", "", ("1.1",), "float32", "eager")

ENTRY = """
[no-tanh]
adapters = ["faulty"]
checks = ["test_recurrence"]
versions = { framework = ">=2" }
cases = { activation = ["tanh"] }
cause = "another tanh"
means = "Outputs are off by a hundredth."
reason = "its tanh is another"
"""


def wrong_tanh(a: Architecture, w: Weights, x: np.ndarray, h: State | None) -> Output:
    """Off by a hundredth wherever a layer is tanh."""
    output = network.run(a, w, x, h)
    wrong = any(layer.cell.activation == "tanh" for layer in a.layers)
    return replace(output, outputs=output.outputs * output.outputs.dtype.type(0.99)) if wrong else output


def wrong_everywhere(a: Architecture, w: Weights, x: np.ndarray, h: State | None) -> Output:
    """Off by a hundredth."""
    output = network.run(a, w, x, h)
    return replace(output, outputs=output.outputs * output.outputs.dtype.type(0.99))


def adapter(run: Callable[..., Output] = wrong_tanh) -> FunctionAdapter:
    return from_function(run, Description("Faulty", {"framework": "2.4"}))


def frozen(case: Case | None, search: int = 0, check: str = "test_values.py::test_recurrence") -> Witness:
    """A witness as it lies in conformance/witnesses."""
    return witness_of(
        replace(ITEM, check=check),
        adapter="faulty",
        versions={},
        profile="smoke",
        seed=0,
        search=search,
        verdict="fails",
        message="",
        case=case,
        details={},
    )


NO_TANH = replace(parse(ENTRY)[0], frozen=frozen(Case(Architecture((Layer(2, 3),)), 2, 3, "integers", 0)))


def record(
    adapter: Adapter,
    *known: Deviation,
    item: Item = ITEM,
    check: Callable[[Check], None] = recurrence,
    elsewhere: Sequence[Deviation] = (),
) -> CheckRecord:
    subject = Subject(adapter)
    running = Check(item.check, subject, item.dtype, item.mode, PROFILES["smoke"], 0, 1, Journal(None))
    return conclude(running, check, item, known, elsewhere=elsewhere)


def test_what_is_known_is_left_out() -> None:
    """The other activations are tested, and the verdict says what was left out, why, and what was seen again."""
    found = record(adapter(), NO_TANH)
    assert (found.verdict, found.deviation, found.reason) == ("deviation", "no-tanh", "its tanh is another")
    assert "should be within" in found.message
    assert "simple_rnn(2 -> 3, tanh)" in found.case
    assert found.discriminating > 0
    assert found.worst is not None
    assert found.worst.ratio <= 1
    assert "tanh" not in found.worst.case


def test_several_have_a_line_of_the_reason_each() -> None:
    """So that a report can tell them apart."""
    found = record(adapter(), NO_TANH, replace(NO_TANH, name="never-tanh", reason="it is another, always"))
    assert found.deviation.split(", ") == ["no-tanh", "never-tanh"]
    assert found.reason.splitlines() == ["its tanh is another", "it is another, always"]


def test_causes_travel_with_the_record() -> None:
    """A report groups by them, and knows what it means for a user, without the suite at hand."""
    (cause,) = record(adapter(), NO_TANH).causes
    assert cause == Cause("no-tanh", "another tanh", "Outputs are off by a hundredth.", "", {"framework": ">=2"})


@pytest.mark.parametrize(
    ("cases", "names"),
    [({"activation": ["tanh"]}, ["no-tanh"]), ({"activation": ["relu"]}, []), ({"units": 10**6}, [])],
)
def test_what_was_not_looked_at_in_this_version(cases: dict[str, Any], names: list[str]) -> None:
    """A failure still fails, and says which deviation, known in other versions only, has such cases."""
    old = record(adapter(), elsewhere=[replace(NO_TANH, cases=cases)])
    assert (old.verdict, [cause.deviation for cause in old.not_looked_at]) == ("fails", names)
    assert record(adapter(network.run), elsewhere=[NO_TANH]).not_looked_at == []


def test_entries_of_other_versions_are_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry of the adapter and check applies, is known to be absent, or was not looked at in these versions."""
    here = replace(NO_TANH, adapters=["planted:transposed"], versions={"planted": ">=1"})
    later = replace(here, versions={"planted": ">=2"})
    looked_for = replace(later, absent={"planted": "<2"})
    monkeypatch.setattr(session, "known_deviations", lambda: [here, later, looked_for])
    run = Session("planted:transposed", "smoke", 0, 1, None, None)
    assert (run.deviations(ITEM), run.elsewhere(ITEM)) == ([here], [later])
    of_another_cell = Session("planted:transposed", "smoke", 0, 1, None, None, "lstm")
    assert (of_another_cell.deviations(ITEM), of_another_cell.elsewhere(ITEM)) == ([], [])


def test_anything_else_fails() -> None:
    """A fault in other cases is no part of the deviation."""
    found = record(adapter(wrong_everywhere), NO_TANH)
    assert (found.verdict, found.deviation) == ("fails", "")
    assert "tanh" not in found.case


def test_deviation_that_no_longer_occurs() -> None:
    """Its witness conforms, so the check fails until the entry is corrected, though all else conforms."""
    found = record(adapter(network.run), NO_TANH)
    assert found.verdict == "fails"
    assert found.message == "the known deviation 'no-tanh' no longer occurs (conforms): correct its entry"


def test_framework_that_does_not_offer_it_any_more() -> None:
    """What is now refused has to be corrected, too."""
    only_double = Description("Faulty", {"framework": "2.4"}, precision={"float64": standard_precision("float64")})
    found = record(from_function(network.run, only_double), NO_TANH)
    assert found.verdict == "fails"
    assert "no longer occurs (unsupported)" in found.message


@pytest.mark.parametrize("change", [{"dtype": "float64"}, {"check": "test_values.py::test_no_bias[float32-eager]"}])
def test_witness_is_run_in_its_own_check_only(change: dict[str, Any]) -> None:
    """Elsewhere the cases are left out without looking, and the record says which."""
    item = replace(ITEM, **change)
    found = record(adapter(network.run), NO_TANH, item=item)
    assert (found.verdict, found.message) == ("deviation", "left out: activation tanh")


def test_all_cases_are_left_out() -> None:
    """A check of which nothing remains is a deviation, and counts no example."""
    everything = replace(NO_TANH, cases={"dtype": ["float32"]})
    found = record(adapter(), everything)
    assert (found.verdict, found.examples) == ("deviation", 0)


def test_another_cell_where_all_cases_are_known_to_be_wrong() -> None:
    """The one shape that smoke looks at in float64 is of tanh; where that is left out, it is looked at in relu."""
    item = replace(ITEM, check="test_values.py::test_recurrence[float64-eager]", dtype="float64")
    found = record(adapter(), NO_TANH, item=item)
    assert (found.verdict, found.deviation) == ("deviation", "no-tanh")
    assert found.discriminating > 0
    assert found.worst is not None
    assert "relu" in found.worst.case
    assert record(adapter(wrong_everywhere), NO_TANH, item=item).verdict == "fails"
    assert "tanh" in str(record(adapter(network.run), item=item).worst)


def test_nothing_is_left_out() -> None:
    """An entry whose cases do not come up, and whose witness is another check's, leaves no trace."""
    elsewhere = replace(NO_TANH, cases={"masking": ["mask"]}, frozen=frozen(None, check="test_values.py::test_no_bias"))
    found = record(adapter(network.run), elsewhere)
    assert (found.verdict, found.deviation) == ("conforms", "")


def test_example_that_is_no_case() -> None:
    """A sweep over floats says what it is about, and is left out by that; its witness is found by its number."""

    def beyond_one(a: Architecture, w: Weights, x: np.ndarray, h: State | None) -> Output:
        output = network.run(a, w, x, h)
        return (
            replace(
                output,
                outputs=np.where(output.outputs == 1, output.outputs + output.outputs.dtype.type(1e-6), output.outputs),
            )
            if a.layers[0].cell.activation == "tanh"
            else output
        )

    item = Item("test_activations.py::test_range[float32-eager]", "", ("7.3",), "float32", "eager")
    sweep = replace(NO_TANH, checks=["test_range"], frozen=frozen(None, check="test_activations.py::test_range"))
    found = record(adapter(beyond_one), sweep, item=item, check=activations_in_range)
    assert (found.verdict, found.case) == ("deviation", "")
    assert found.message.startswith("tanh gives values from -1 to 1.0")
    assert found.examples == 1, "sigmoid is still swept"
    lost = replace(sweep, frozen=replace(sweep.witness, search=99))
    found = record(adapter(beyond_one), lost, item=item, check=activations_in_range)
    assert found.verdict == "broken"
    assert "the witness of the deviation 'no-tanh': the check does not come to the example" in found.message


@pytest.mark.parametrize(
    ("adapter", "function", "version", "platforms", "applies"),
    [
        ("faulty", "test_recurrence", "2.4", (), True),
        ("faulty", "test_recurrence", "2.5rc1", (), True),
        ("faulty", "test_recurrence", "1.9", (), False),
        ("faulty", "test_no_bias", "2.4", (), False),
        ("other", "test_recurrence", "2.4", (), False),
        ("faulty", "test_recurrence", "2.4", (here(),), True),
        ("faulty", "test_recurrence", "2.4", ("Plan9-mips",), False),
    ],
)
def test_what_an_entry_speaks_of(
    adapter: str, function: str, version: str, platforms: Sequence[str], applies: bool
) -> None:
    """Adapter, check, versions and platform must all be those of the entry."""
    entry = replace(NO_TANH, platforms=platforms)
    assert entry.applies(adapter, function, {"framework": version}) == applies


@pytest.mark.parametrize(
    ("checks", "function", "applies"),
    [
        (["*", "!test_recurrence"], "test_recurrence", False),
        (["*", "!test_recurrence"], "test_no_bias", True),
        (["!test_recurrence", "*"], "test_recurrence", False),
        (["test_*", "!test_rec*"], "test_recurrence", False),
        (["test_recurrence", "!test_no_bias"], "test_recurrence", True),
        (["test_recurrence", "!test_no_bias"], "test_last_output", False),
    ],
)
def test_checks_that_are_left_out(checks: Sequence[str], function: str, applies: bool) -> None:
    """A pattern with a leading "!" takes away from what the others name, wherever it stands among them."""
    entry = replace(NO_TANH, checks=checks)
    assert entry.applies("faulty", function, {"framework": "2.4"}) == applies
    assert entry.was_not_looked_at("faulty", function, {"framework": "1.9"}) == applies


def test_package_that_is_not_there() -> None:
    """An entry about a package does not apply where the adapter does not name that package."""
    assert not NO_TANH.applies("faulty", "test_recurrence", {})


CASE = Case(
    Architecture(
        (Layer(3, 2, direction="bidirectional"), Layer(4, 5, SimpleRnn("relu"), use_bias=False)),
        Embedding(5, 3),
        return_sequences=False,
        masking="mask",
    ),
    2,
    4,
    "unit",
    0,
    "gaps",
)


@pytest.mark.parametrize(
    ("cases", "covers"),
    [
        ({"activation": "relu"}, True),
        ({"activation": ["sigmoid", "tanh"]}, True),
        ({"activation": ["sigmoid"]}, False),
        ({"use_bias": False, "direction": ["bidirectional"], "merge": "concat"}, True),
        ({"pattern": ["gaps"], "masking": ["mask"], "return_sequences": False}, True),
        ({"pattern": ["gaps"], "masking": ["lengths"]}, False),
        ({"units": [5], "layers": 2, "batch": [2], "timesteps": [4, 5]}, True),
        ({"square": False}, True),
        ({"square": True}, False),
        ({"embedding": True, "mask_zero": True}, False),
        ({"dtype": ["float64"]}, False),
        ({"stateful": True}, False),
    ],
)
def test_words_of_cases(cases: dict[str, Any], covers: bool) -> None:
    """All words must hold; one about layers holds if any layer has it."""
    assert replace(NO_TANH, cases=cases).covers(facts_of(CASE)) == covers


def test_every_word_is_a_fact_of_a_case() -> None:
    """No word is there that could never hold; of an initial state, a gradient, and what is wrong, the check says it."""
    assert {*facts_of(CASE), *facts_given({"initial_state": True, "gradient": True, "wrong": "turned"})} == set(WORDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY + 'clause = "6.3"', "there is no field clause; the fields are adapters, checks"),
        (ENTRY.replace('reason = "its tanh is another"', ""), "no-tanh: reason should be given"),
        (ENTRY.replace('cases = { activation = ["tanh"] }', ""), "no-tanh: cases should be given"),
        (ENTRY.replace(">=2", "newer than 2"), "'newer than 2' is no version specifier for framework"),
        (ENTRY + 'absent = { framework = "old" }', "'old' is no version specifier for framework"),
        (ENTRY.replace("activation =", "activations ="), "there is no word activations for cases; the words are dtype"),
        (
            ENTRY.replace('["tanh"]', '["tan"]'),
            "activation should be among tanh, relu, linear, sigmoid, but is",
        ),
        (ENTRY.replace("activation = [", "batched = ["), "batched should be of type bool, but is"),
        (ENTRY.replace('["tanh"]', "[]"), r"activation should be among .*, but is \[\]"),
        (
            ENTRY.replace('["test_recurrence"]', '["!test_no_bias", "!test_last_*"]'),
            "no-tanh: checks should name what it is about before what is left out of that, such as",
        ),
        (
            ENTRY.replace('["tanh"]', '["tanh", "relu", "tanh"]'),
            "no-tanh: cases.activation should name each once, but has 'tanh' twice",
        ),
        (
            ENTRY.replace('["faulty"]', '["faulty", "faulty"]'),
            "no-tanh: adapters should name each once, but has 'faulty' twice",
        ),
    ],
)
def test_damaged_entry(text: str, message: str) -> None:
    """The error names the entry and what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_entry_without_its_witness() -> None:
    """The error says where the witness should be."""
    with pytest.raises(ValueError, match=r"no-tanh: its witness should be in conformance/known/no-tanh\.json"):
        _ = parse(ENTRY)[0].witness


def test_example_of_an_unknown_word() -> None:
    """A check that misspells a word is broken, and does not pass silently."""

    def misspelt(check: Check) -> None:
        check.example(lambda: True, activations="tanh")

    found = record(adapter(network.run), NO_TANH, check=misspelt)
    assert found.verdict == "broken"
    assert "there is no word activations" in found.message


@pytest.mark.parametrize(
    ("planned", "of", "lost"),
    [
        (["test_values.py::test_recurrence[float32-eager]"], {}, []),
        (["test_values.py::test_recurrence[float64-eager]"], {}, ["deviation no-tanh"]),
        (["test_values.py::test_recurrence[float64-eager]"], {"dtype": ["float32"]}, []),
        (["test_values.py::test_no_bias[float32-eager]"], {}, []),
    ],
)
def test_witness_that_no_check_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planned: list[str], of: dict[str, list[str]], lost: list[str]
) -> None:
    """An entry whose check is run, but not where its witness belongs, is broken; one whose check is not run is not.

    Nor is one of another dtype, which leaves nothing out.
    """
    entry = replace(NO_TANH, adapters=["planted:transposed"], versions={"planted": ">=1"})
    entry = replace(entry, cases={**entry.cases, **of})
    monkeypatch.setattr(session, "known_deviations", lambda: [entry])
    run = Session("planted:transposed", "smoke", 0, 1, tmp_path / "results.jsonl", None)
    assert planted.transposed.describe().versions == {"planted": "1.0"}
    assert run.begin(planned) == set(planned)
    run.finish()
    results = read(tmp_path / "results.jsonl")
    assert [(each.check, each.verdict) for each in results.checks] == [(name, "broken") for name in lost]
    assert set(results.header.planned) == {*planned, *lost}
