"""What changed between two runs: the four kinds, told apart; what cannot be compared is refused."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from io import StringIO
from typing import Any

import pytest
from example_results import check, failing, fingerprint, header, observation, results
from rich.console import Console

from rnn_conformance.reports.change import KINDS, TRENDS, Change, grouped, subjects, tally
from rnn_conformance.reports.comparison import SAME, Comparison, NotComparable, Version, compare
from rnn_conformance.reports.comparison_markdown import comparison_markdown
from rnn_conformance.reports.comparison_terminal import TerminalComparison
from rnn_conformance.reports.drift import ulps_apart
from rnn_conformance.reports.records import CheckRecord, Results, Worst

LOW = {"exact": 50, "-5": 300, "-4": 150}
HIGH = {"exact": 50, "-3": 300, "-2": 150}


def changes(old: CheckRecord | list[CheckRecord], new: CheckRecord | list[CheckRecord]) -> list[Change]:
    """What changed between two runs of the same versions with these records."""
    runs = [results(checks=each if isinstance(each, list) else [each]) for each in (old, new)]
    return list(compare(*runs).changes)


def told(found: list[Change]) -> list[tuple[str, str]]:
    """Each change in two words."""
    return [(change.kind, change.word) for change in found]


def described(**description: Any) -> Results:
    """Results of an adapter that describes itself so."""
    return results(description={**header().description, **description})


def worst(ratio: float) -> Worst:
    return Worst(ratio, 1.0, "outputs[0, 0, 0]", "tanh 3 -> 4")


def on_terminal(comparison: Comparison) -> str:
    out = StringIO()
    Console(file=out, width=100, force_terminal=False).print(TerminalComparison(comparison))
    return out.getvalue()


# Nothing changed


def test_nothing_changed_is_one_line() -> None:
    """A run compared with itself."""
    record = check(shares=LOW, fingerprints=[fingerprint(0.5)])
    comparison = compare(results(checks=[record]), results(checks=[replace(record, seconds=9.0)]))
    assert comparison.changes == []
    assert comparison.clauses == []
    assert on_terminal(comparison) == "torch 2.13.0: nothing changed (1 check, 1 frozen example)\n"
    assert comparison_markdown(comparison) == "**torch 2.13.0**: nothing changed (1 check, 1 frozen example).\n"


def test_both_environments_are_named() -> None:
    """The packages that differ, and what else does, also if nothing came of it."""
    old = results("keras-jax", versions={"keras": "3.14.0", "jax": "0.10.2", "old": "1"})
    new = results("keras-jax", versions={"keras": "3.15.1", "jax": "0.10.2"}, environment={"python": "3.13.0"})
    comparison = compare(old, new)
    assert comparison.versions == [Version("keras", "3.14.0", "3.15.1"), Version("old", "1", "")]
    assert Version("python", "3.12.4", "3.13.0") in comparison.environment
    assert comparison.step == "keras-jax, keras 3.14.0 → 3.15.1, old 1 → absent"
    assert comparison.old == "keras-jax (keras 3.14.0, jax 0.10.2, old 1)"


def test_another_processor_may_be_the_cause() -> None:
    """The same packages give other bits on another processor; that is said, if bits or anything else changed."""
    was, now = check(fingerprints=[fingerprint(0.5)]), check(fingerprints=[fingerprint(0.5 + 2**-24)])
    zen, ice = ({"processor": name} for name in ("zen3", "icelake"))
    comparison = compare(results(checks=[was], environment=zen), results(checks=[now], environment=ice))
    (note,) = comparison.notes
    assert note.startswith("another processor, zen3 → icelake, may run other code of the same packages: bits,")
    for other in (results(checks=[was], environment=ice), results(checks=[now], environment=zen)):
        assert compare(results(checks=[was], environment=zen), other).notes == []


# Meaning


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("conforms", "fails", "worse"),
        ("conforms", "deviation", "worse"),
        ("deviation", "fails", "worse"),
        ("fails", "crashed", "worse"),
        ("conforms", "untrusted", "worse"),
        ("observed", "fails", "worse"),
        ("fails", "conforms", "better"),
        ("deviation", "conforms", "better"),
        ("fails", "deviation", "changed"),
        ("timed out", "fails", "better"),
    ],
)
def test_meaning_is_a_verdict_that_changed(old: str, new: str, word: str) -> None:
    """Better and worse are told apart, and a clause is rolled up. Its errors and its bits are no further news."""
    was = check(verdict=old, shares=LOW, fingerprints=[fingerprint(0.5)])
    now = check(verdict=new, shares=HIGH, fingerprints=[fingerprint(0.75)], message="because", worst=worst(80.0))
    comparison = compare(results(checks=[was]), results(checks=[now]))
    (change,) = comparison.changes
    assert (change.kind, change.word, change.old, change.new, change.detail) == ("meaning", word, old, new, "because")
    (clause,) = comparison.clauses
    assert (clause.clause, clause.old, clause.new) == ("1.1", old, new)
    assert clause.counts == {"meaning": 1, "support": 0, "accuracy": 0, "bits": 0}


def test_another_known_deviation_is_another_meaning() -> None:
    """One that is new is worse, even if another went; one that went is better."""
    one, two, both = (check(verdict="deviation", deviation=name) for name in ("one", "two", "one, two"))
    assert told(changes(one, both)) == told(changes(one, two)) == [("meaning", "worse")]
    assert told(changes(both, one)) == [("meaning", "better")]
    assert changes(both, both) == []


def test_a_check_that_appears_and_fails_is_worse() -> None:
    """A complaint of the suite, for example, cites no clause; where it goes, something got better."""
    complaint = check("", "broken", check="deviation x", clauses=[], message="no check runs it again")
    assert told(changes([check()], [check(), complaint])) == [("meaning", "worse")]
    assert told(changes([check(), complaint], [check()])) == [("meaning", "better")]


def test_an_adapter_that_does_not_work_any_more() -> None:
    """An upgrade that breaks the import is one change, with its message, and not a list of lost checks."""
    broken = CheckRecord("adapter", "The adapter works", [], "broken", 0.0, message="ImportError: no module named x")
    works, not_any_more = results(), results(checks=[broken], description={}, versions={})
    comparison = compare(works, not_any_more)
    assert told(list(comparison.changes)) == [("meaning", "worse")]
    assert "ImportError" in on_terminal(comparison)
    assert "the adapter did not work in the new run" in on_terminal(comparison)
    assert told(list(compare(not_any_more, works).changes)) == [("meaning", "better")]


# Support


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("conforms", "unsupported", "lost"),
        ("fails", "unsupported", "lost"),
        ("unsupported", "conforms", "won"),
        ("unsupported", "deviation", "won"),
        ("unsupported", "fails", "changed"),
    ],
)
def test_support_is_lost_or_won(old: str, new: str, word: str) -> None:
    """What is newly offered but wrong is neither."""
    assert told(changes(check(verdict=old), check(verdict=new))) == [("support", word)]


def test_another_observation() -> None:
    """Where the specification is silent, what happens may change; both answers are told."""
    (change,) = changes(observation("0.0"), observation("0.5"))
    assert (change.kind, change.word, change.old, change.new) == ("support", "changed", "0.0", "0.5")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"ways": ["reloaded"]}, {"ways": []}, [("lost", "ways: reloaded")]),
        ({"modes": ["eager"]}, {"modes": ["eager", "compiled"]}, [("won", "modes: compiled")]),
        ({"modes": ["a", "b"]}, {"modes": ["b", "a"]}, [("changed", "modes: main mode")]),
        ({"offers": ["mask"]}, {"unsupported": {"mask": "gone"}}, [("lost", "offers: mask")]),
        ({}, {"unsupported": {"no bias": "gone"}}, [("lost", "features: no bias")]),
        ({"unsupported": {"no bias": "not yet"}}, {}, [("won", "features: no bias")]),
        ({"unsupported": {"x": "a"}}, {"unsupported": {"x": "b"}}, [("changed", "features not offered: x")]),
        ({"activations": ["tanh", "relu"]}, {"activations": ["tanh"]}, [("lost", "activations: relu")]),
        ({"precision": {}}, {"precision": {"float16": {}}}, [("won", "dtypes: float16")]),
        ({"choices": {"padded": "zero"}}, {"choices": {"padded": "repeat"}}, [("changed", "choices: padded")]),
        ({}, {"conventions": {"W": "elsewhere"}}, [("changed", "conventions: W")]),
        ({"device": "cpu"}, {"device": "cuda"}, [("changed", "device")]),
    ],
)
def test_a_capability_changed(old: dict[str, Any], new: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Whatever the adapter declares is compared, and told once."""
    found = compare(described(**old), described(**new)).changes
    assert [(change.word, change.subject) for change in found] == expected
    assert {change.kind for change in found} == {"support"}


def test_a_reason_is_told_with_what_was_lost() -> None:
    """Why something is not offered any more stands in the description."""
    (change,) = compare(described(offers=["mask"]), described(unsupported={"mask": "since 4.0"})).changes
    assert change.detail == "since 4.0"


def test_a_reason_is_not_repeated_for_each_check() -> None:
    """A reason that reads otherwise is told as a capability, or else of the check."""
    was, now = (check(verdict="unsupported", message=message) for message in ("not yet", "not at all"))
    assert told(changes(was, now)) == [("support", "changed")]
    old, new = (
        results(checks=[record], description={**header().description, "unsupported": {"mask": record.message}})
        for record in (was, now)
    )
    assert [change.subject for change in compare(old, new).changes] == ["features not offered: mask"]


def test_checks_of_a_mode_that_came_or_went() -> None:
    """Other planned checks are other support where a mode or dtype makes the difference; it is no reason to refuse."""
    compiled = check(check="test_values.py::test_1_1[float32-compiled]", mode="compiled")
    one = results(checks=[check()])
    both = results(checks=[check(), compiled], description={**header().description, "modes": ["eager", "compiled"]})
    assert [(c.word, c.subject) for c in compare(one, both).changes] == [
        ("won", "modes: compiled"),
        ("won", compiled.check),
    ]
    assert [(c.word, c.subject) for c in compare(both, one).changes] == [
        ("lost", "modes: compiled"),
        ("lost", compiled.check),
    ]


# Accuracy


def test_errors_that_grew() -> None:
    """The errors have moved two bins up: told with the part of them that is that large, and not among the bits."""
    was = check(shares=LOW, fingerprints=[fingerprint(0.5)], worst=worst(0.1))
    now = check(shares=HIGH, fingerprints=[fingerprint(0.75)], worst=worst(0.4))
    (change,) = changes(was, now)
    assert (change.kind, change.word, change.old, change.new) == (
        "accuracy",
        "grew",
        "0.10 of the bound",
        "0.40 of the bound",
    )
    assert change.detail == "errors above 0.12 of the bound: 0% before, 90% now"
    assert change.measured["distance"] == 0.9
    assert told(changes(now, was)) == [("accuracy", "shrank")]


def test_errors_within_noise_are_bits() -> None:
    """A little more or less in each bin is what other rounding looks like."""
    was = check(shares={"exact": 50, "-5": 300, "-4": 150}, worst=worst(0.11))
    now = check(shares={"exact": 55, "-5": 290, "-4": 155}, worst=worst(0.12))
    (change,) = changes(was, now)
    assert change.kind == "bits"
    assert change.detail == (
        "the errors of other examples differ; none is frozen; worst error 0.11 → 0.12 of the bound"
    )


def test_few_errors_are_not_significant() -> None:
    """Of six errors, half may be larger by chance; of six hundred they may not."""
    was, now = {"-5": 3, "-3": 3}, {"-3": 6}
    assert told(changes(check(shares=was, examples=6), check(shares=now, examples=6))) == [("bits", "changed")]
    many = [{key: 100 * number for key, number in shares.items()} for shares in (was, now)]
    assert told(changes(check(shares=many[0]), check(shares=many[1]))) == [("accuracy", "grew")]


def test_the_tail_counts_by_itself() -> None:
    """One error far larger than any was does not move a histogram, but is worth saying; of few errors less so."""
    was, now = check(shares=LOW, worst=worst(0.12)), check(shares={**LOW, "-4": 149, "-1": 1}, worst=worst(0.9))
    (change,) = changes(was, now)
    assert (change.kind, change.word, change.detail) == ("accuracy", "grew", "the worst error alone")
    few = [replace(each, shares={"-5": 6}, examples=6) for each in (was, now)]
    (change,) = changes(*few)
    assert (change.kind, change.detail) == (
        "bits",
        "the errors of other examples differ; none is frozen; worst error 0.12 → 0.90 of the bound",
    )


def test_many_changes_within_noise_may_be_beyond_it_together() -> None:
    """Errors that are a little larger in each check are told as one change, of all checks in that dtype."""
    names = [f"test_values.py::test_{i}[float32-eager]" for i in range(40)]
    old = [check(check=name, shares={"-5": 12, "-4": 12}, examples=24) for name in names]
    new = [replace(each, shares={"-5": 4, "-4": 20}) for each in old]
    found = changes(old, new)
    assert tally(found, "accuracy") == "1 grew"
    assert tally(found, "bits") == "40 changed"
    assert found[0].subject == "all checks in float32"
    assert found[0].detail == "errors above 0.062 of the bound: 50% before, 83% now"


def test_exactness_that_was_lost() -> None:
    """Errors where there were none are told by how many there are; NaN is worse than any number."""
    was, now = (
        check(shares={"exact": 500}, worst=worst(0.0)),
        check(shares={"exact": 250, "-9": 250}, worst=worst(0.01)),
    )
    (change,) = changes(was, now)
    assert (change.word, change.detail) == ("grew", "errors other than zero: 0% before, 50% now")
    (change,) = changes(was, check(shares={"exact": 500}, worst=worst(math.nan)))
    assert (change.word, change.measured["worst"]) == ("grew", [0.0, "nan"])


def test_other_cases_are_counted_by_example() -> None:
    """With another NumPy the cases are others: what the errors of one example have in common is no evidence."""
    was, now = (check(shares=shares, examples=20, worst=worst(0.1)) for shares in ({"-5": 300, "-4": 200}, {"-4": 500}))
    assert told(changes(was, now)) == [("accuracy", "grew")]
    old, new = (
        results(checks=[record], environment={"numpy": numpy}) for record, numpy in ((was, "1.26.4"), (now, "2.4.6"))
    )
    comparison = compare(old, new)
    assert comparison.changes == []
    far = replace(new, checks=[replace(was, worst=worst(0.9))])
    assert compare(old, far).changes == []  # one hard case more
    assert comparison.notes == [
        "another numpy draws other cases from the same seed: a difference may be one of the cases"
    ]


def test_other_bounds_are_not_compared() -> None:
    """Where the adapter declares another arithmetic, shares of the bounds mean something else, and it is said."""
    was, now = check(shares=LOW), check(shares=HIGH)
    old, new = (
        results(checks=[record], description={"modes": ["eager"], "precision": {"float32": {"unit_roundoff": u}}})
        for record, u in ((was, 2**-24), (now, 2**-11))
    )
    comparison = compare(old, new)
    assert [change.subject for change in comparison.changes] == ["precision: float32"]
    assert comparison.notes == ["errors in float32 are judged by other bounds, so their shares are not compared"]


# Bits


def test_bits_in_ulp() -> None:
    """How many frozen examples differ, by how many ULP at most, and where."""
    old = [fingerprint(0.5, 1.0), fingerprint(2.0, example="relu"), fingerprint(3.0, example="same")]
    new = [fingerprint(0.5, 1.0 + 2**-22), fingerprint(2.0 + 2**-22, example="relu"), fingerprint(3.0, example="same")]
    (change,) = changes(check(fingerprints=old), check(fingerprints=new))
    assert (change.kind, change.word, change.clauses) == ("bits", "changed", ["1.1"])
    assert change.detail == (
        "2 of 3 frozen examples differ; by up to 2.0 ULP: number 1 of tanh 3 -> 4 was 1, is 1.00000024"
    )
    assert change.measured["differing"] == 2
    assert change.measured["ulps"] == 2.0


def test_frozen_examples_that_raise() -> None:
    """An exception where there were numbers is told by its name."""
    raised = fingerprint(got="raised TypeError")
    (change,) = changes(check(fingerprints=[fingerprint(0.5)]), check(fingerprints=[raised]))
    assert change.detail.endswith("tanh 3 -> 4: returned before, raised TypeError now")
    (change,) = changes(check(fingerprints=[fingerprint(0.5)]), check(fingerprints=[fingerprint(0.5, 0.25)]))
    assert change.detail.endswith("tanh 3 -> 4: 1 numbers before, 2 now")


def test_frozen_examples_that_were_given_something_else() -> None:
    """Their bits say nothing, which is said."""
    was, now = fingerprint(0.5), fingerprint(0.75, given="g1")
    comparison = compare(*(results(checks=[check(fingerprints=[each])]) for each in (was, now)))
    assert comparison.changes == []
    assert comparison.examples == 0
    (note,) = comparison.notes
    assert note.startswith("1 frozen example of 1 check cannot be compared")


def test_the_same_frozen_example_twice() -> None:
    """A check may run it in several ways; each is compared with its like."""
    old, new = [fingerprint(0.5), fingerprint(0.25)], [fingerprint(0.5), fingerprint(0.75)]
    (change,) = changes(check(fingerprints=old), check(fingerprints=new))
    assert change.detail.startswith("1 of 2 frozen examples differ; by up to")
    assert changes(check(fingerprints=old), check(fingerprints=old)) == []


def test_the_sign_of_a_zero_is_a_bit() -> None:
    """No number differs, but the digest does."""
    (change,) = changes(check(fingerprints=[fingerprint(0.0)]), check(fingerprints=[fingerprint(-0.0)]))
    assert change.detail == "1 of 1 frozen example differ"


@pytest.mark.parametrize(
    ("a", "b", "dtype", "ulps"),
    [
        (1.0, 1.0 + 2**-23, "float32", 1.0),
        (1.0, 1.0 + 2**-52, "float64", 1.0),
        (1.0, 1.0 + 2**-10, "float16", 1.0),
        (1.0, 1.0 - 2**-8, "bfloat16", 0.5),
        (2**-149, 2**-148, "float32", 1.0),
        (5e-324, 1e-323, "float64", 1.0),
        (-(2**-24), 2**-24, "float16", 2.0),
        (1.5, 1.5 + 2**-20, "float32", 8.0),
        (math.nan, math.nan, "float32", 0.0),
        (math.inf, 1.0, "float32", math.inf),
        (math.nan, 1.0, "float32", math.inf),
        (1.7e308, -1.7e308, "float64", 2 * (1.7e308 / 2**971)),
    ],
)
def test_ulps_apart(a: float, b: float, dtype: str, ulps: float) -> None:
    """The spacing is that of the larger number; subnormals have the least there is."""
    assert ulps_apart(a, b, dtype) == ulps_apart(b, a, dtype) == ulps


# Refusals


@pytest.mark.parametrize(
    ("field", "value"),
    [("adapter", "jax"), ("schema", 99), ("suite", "2"), ("specification", "2"), ("profile", "smoke"), ("seed", 8)],
)
def test_refused(field: str, value: Any) -> None:
    """What makes cases, bounds or clauses others cannot be compared; the message names both files and says why."""
    assert field in SAME
    new = results()
    new = replace(new, header=replace(new.header, **{field: value}))
    with pytest.raises(NotComparable, match=f"torch.jsonl is of {field} .* of {field} {value}: {SAME[field]}"):
        compare(results(), new)


def test_every_reason_is_given() -> None:
    """Nobody wants to be told one at a time."""
    with pytest.raises(NotComparable, match=r"of profile .*of seed"):
        compare(results(), results(seed=1, profile="smoke"))


def test_other_words_for_a_clause_are_refused() -> None:
    """The same version of the specification should not say something else, but may, while it is being written."""
    with pytest.raises(NotComparable, match=r"other words for 1 clause: 1\.2"):
        compare(results(), results(clauses={**header().clauses, "1.2": "Otherwise."}))


def test_a_truncated_run_is_refused() -> None:
    """In either place, with or without its footer; what broke it is told."""
    whole = results(checks=[check()])
    for cut in (replace(whole, footer=None), results(checks=[check()], planned=[check().check, "t::test_more[x]"])):
        with pytest.raises(NotComparable, match="truncated"):
            compare(whole, cut)
        with pytest.raises(NotComparable, match="truncated"):
            compare(cut, whole)
    broken = check(check="adapter", verdict="broken", message="it died", clauses=[])
    with pytest.raises(NotComparable, match="it died"):
        compare(whole, replace(results(checks=[check(), broken]), footer=None))


def test_runs_of_other_clauses_are_refused() -> None:
    """With --only, what is not there was not asked for: it is not lost."""
    with pytest.raises(NotComparable, match=r"only torch.jsonl has 2 checks such as .*--only"):
        compare(results(), results(checks=[check("1.1")]))


# Rendering


def test_kinds_are_never_mixed() -> None:
    """Each check is told under one kind; the counts, the clauses and the text agree."""
    names = [f"test_values.py::test_{name}[float32-eager]" for name in "abcd"]
    old = [check(check=name, clauses=["1.1"], shares=LOW, fingerprints=[fingerprint(0.5)]) for name in names]
    new = [
        replace(old[0], verdict="fails", message="wrong"),
        replace(old[1], verdict="unsupported", message="gone"),
        replace(old[2], shares=HIGH),
        replace(old[3], fingerprints=[fingerprint(0.75)]),
    ]
    comparison = compare(results(checks=old), results(checks=new))
    assert [change.kind for change in comparison.changes] == list(KINDS)
    assert [change.subject for change in comparison.changes] == names
    assert comparison.clauses[0].counts == dict.fromkeys(KINDS, 1)
    assert comparison.outcome == (
        "meaning 1 worse; support 1 lost; accuracy 1 grew; bits 1 changed (4 checks, 4 frozen examples)"
    )
    for text in (on_terminal(comparison), comparison_markdown(comparison)):
        for kind in KINDS:
            assert kind.capitalize() in text
        for word in ("✓ conforms", "✗ fails", "wrong", "gone", "0% before", "1 of 1 frozen example"):
            assert word in text


def test_changes_that_say_the_same_are_told_once() -> None:
    """One fault in two dtypes is one entry; what is worse comes first."""
    better = [check("1.2", "fails", check="x"), check("1.2", check="x")]
    names = [f"test_values.py::test_1_1[{dtype}-eager]" for dtype in ("float32", "float64")]
    old = [better[0], *(check(check=name) for name in names)]
    new = [better[1], *(replace(failing(), check=name) for name in names)]
    found = changes(old, new)
    groups = grouped(found)
    assert [[change.subject for change in group] for group in groups] == [names, ["x"]]
    assert tally(found, "meaning") == "2 worse, 1 better"
    assert tally(found, "bits") == ""
    many = [Change("bits", "changed", f"c{i}", "", "", ["1.1"]) for i in range(7)]
    assert subjects(many) == ["c0 (1.1)", "c1 (1.1)", "c2 (1.1)", "c3 (1.1)", "3 more"]


def test_many_bits_are_cut_short_on_a_terminal() -> None:
    """There is one for nearly every check, if for any; the rest is counted."""
    old = [check(check=f"c{i}", fingerprints=[fingerprint(0.5)]) for i in range(40)]
    new = [replace(each, fingerprints=[fingerprint(0.5 + i)]) for i, each in enumerate(old, start=1)]
    text = on_terminal(compare(results(checks=old), results(checks=new)))
    assert text.count("number 0 of") == 10
    assert "and 30 more: --format json has all of them" in text


def test_hostile_text_is_shown_as_text() -> None:
    """Nothing that came from a results file is markup or a control sequence."""
    hostile = "<script>alert(1)</script> [red]x[/red] \x1b[31m | `y`"
    old = results(checks=[check(clauses=["1.1", hostile])], versions={hostile: "1"}, clauses={"1.1": hostile})
    record = check(verdict="fails", message=hostile, clauses=["1.1", hostile])
    new = results(checks=[record], versions={hostile: "2"}, clauses={"1.1": hostile}, description={hostile: hostile})
    comparison = compare(old, new)
    text = on_terminal(comparison)
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
    assert "<script" not in comparison_markdown(comparison)
    assert "\\|" in comparison_markdown(comparison)


def test_every_kind_has_words() -> None:
    """What a kind can be is told in words of its own."""
    assert set(TRENDS) == set(KINDS)
    words = [word for trends in TRENDS.values() for word in trends.values()]
    assert asdict(Change("bits", "changed", "x", "", ""))["kind"] in KINDS
    assert words.count("changed") == 3
