"""What changed between two runs: the four kinds, told apart; what cannot be compared is refused."""

from __future__ import annotations

from dataclasses import asdict, replace
from io import StringIO
from typing import Any

import pytest
from comparing import HIGH, LOW, changes, told, worst
from example_results import check, failing, fingerprint, header, observation, results
from rich.console import Console

from rnn_conformance.reports.records.records import CheckRecord, Results
from rnn_conformance.reports.renderings.comparison_markdown import comparison_markdown
from rnn_conformance.reports.renderings.comparison_terminal import TerminalComparison
from rnn_conformance.reports.upgrades.change import KINDS, TRENDS, Change, grouped, subjects, tally
from rnn_conformance.reports.upgrades.comparison import SAME, Comparison, NotComparable, Version, compare


def described(**description: Any) -> Results:
    """Results of an adapter that describes itself so."""
    return results(description={**header().description, **description})


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
    assert comparison.environment[-1] == Version("processor", "zen3", "icelake")
    assert comparison.notes == [
        "another processor may run other code of the same packages: bits may differ for that alone"
    ]
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


# Refusals


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("adapter", "jax"),
        ("schema", 99),
        ("suite", "2"),
        ("digest", "0123456789ab"),
        ("specification", "2"),
        ("profile", "smoke"),
        ("seed", 0),
        ("seed", 8),
        ("cell", "lstm"),
    ],
)
def test_refused(field: str, value: Any) -> None:
    """What makes cases, bounds or clauses others cannot be compared; the message names both files and says why."""
    assert field in SAME
    new = results()
    new = replace(new, header=replace(new.header, **{field: value}))
    with pytest.raises(NotComparable, match=f"torch.jsonl is of {field} .* of {field} {value}: {SAME[field]}"):
        compare(results(), new)


def test_across_suites() -> None:
    """Two states of the suite are compared where that is asked for, which the comparison says; nothing else is."""
    new = results(suite="2", digest="0123456789ab", checks=[check(verdict="fails")])
    found = compare(results(checks=[check()]), new, across_suites=True)
    assert [change.word for change in found.changes] == ["worse"]
    assert any("0.1.0 unknown → 2 0123456789ab" in note for note in found.notes)
    with pytest.raises(NotComparable, match="of seed"):
        compare(results(), results(digest="0123456789ab", seed=8), across_suites=True)


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


def test_run_of_one_dtype() -> None:
    """It is compared with that part of a run of all; with the whole, what it lacks would look lost."""
    half = check("1.2", check="test_types.py::test_half[float16-eager]", dtype="float16")
    whole, part = results(checks=[check("1.1"), half]), results(checks=[check("1.1")], only_dtypes=["float32"])
    with pytest.raises(NotComparable, match=r"was asked for in float32 only: compare both with --dtype float32"):
        compare(whole, part)
    assert compare(whole, part, dtypes=["float32"]).changes == []


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
    assert tally(found, "meaning") == "2 worse (1 cause), 1 better"
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
