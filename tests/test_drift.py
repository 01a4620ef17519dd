"""What changed between two runs in accuracy and in bits: beyond noise or within it, and by how many ULP."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from comparing import HIGH, LOW, changes, told, worst
from example_results import check, fingerprint, results

from rnn_conformance.reports.upgrades.change import tally
from rnn_conformance.reports.upgrades.comparison import compare
from rnn_conformance.reports.upgrades.drift import accuracy, ulps_apart

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


def test_what_has_no_bound_is_left_out() -> None:
    """However many arrays no bound says anything of: neither is that an error, nor do the others seem to be fewer."""
    was = check(shares={**LOW, "unbounded": 10}, worst=worst(0.1))
    assert accuracy(was, replace(was, shares={**LOW, "unbounded": 900}), same_cases=True) is None
    changed = accuracy(was, replace(was, shares={**HIGH, "unbounded": 900}), same_cases=True)
    assert changed is not None
    assert changed.measured["errors"] == [sum(LOW.values()), sum(HIGH.values())]


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
