"""Rows of features: what those that fail have in common, and what another version broke, mended and left as it was."""

from __future__ import annotations

from itertools import product

from comparing import changes, told
from example_results import check
from test_history import render_history, version

from rnn_conformance.reports.overview.beside import beside
from rnn_conformance.reports.overview.history import timelines
from rnn_conformance.reports.overview.rows import Rows, blamed, changes_of_rows
from rnn_conformance.reports.records.parts import Extent, Further, Row
from rnn_conformance.reports.records.records import CheckRecord

NUMBERS = "outputs[0, 1] = 3.5, but should be exactly 4"
RAISED = "run raised TypeError: no mask of 3 timesteps"


def rows(*wrong: str, said: str = NUMBERS, left_out: str = "") -> Rows:
    """Two ways, two patterns, two directions; the rows that have all features of one of `wrong` fail."""
    found = {}
    for way, pattern, direction in product(("eager", "compiled"), ("none", "left"), ("forward", "backward")):
        features = [f"way {way}", f"pattern {pattern}", f"direction {direction}"]
        fails = any(set(each.split(" + ")) <= set(features) for each in wrong)
        row = Row("deviation", "known") if left_out in features else Row("fails", said) if fails else Row("conforms")
        found[", ".join(features)] = row
    return found


def crossed(found: Rows) -> CheckRecord:
    """The record of a check that came to these rows."""
    failing = [row for row in found.values() if row.outcome == "fails"]
    return check(verdict="fails" if failing else "conforms", message=failing[0].said if failing else "", rows=found)


def test_one_feature_to_blame() -> None:
    """All rows that fail have it, and none of the others."""
    (each,) = blamed(rows("pattern left"))
    assert (each.features, len(each.rows), each.message) == (["pattern left"], 4, NUMBERS)


def test_pair_to_blame() -> None:
    """Where no single feature is, two are that meet in no row that conforms."""
    (each,) = blamed(rows("way eager + direction backward"))
    assert each.features == ["way eager + direction backward"]


def test_two_reasons_are_told_apart() -> None:
    """By what the messages say but for their numbers."""
    found = rows("pattern left + way eager")
    other = rows("direction backward + way compiled", said=RAISED)
    both = {name: row if row.outcome == "fails" else other[name] for name, row in found.items()}
    assert [(each.features, each.message) for each in blamed(both)] == [
        (["way eager + pattern left"], NUMBERS),
        (["way compiled + direction backward"], RAISED),
    ]
    assert next(beside(crossed(both))) == (
        f"2 of 8 rows of features fail, all with way eager + pattern left: {NUMBERS}"
    )


def test_what_changed_row_by_row() -> None:
    """Each row is in one list, and none of those that conform in both runs is told of."""
    old, new = (
        rows("way eager + pattern left"),
        rows("way eager + direction backward", said="outputs[1] = 9, but should be exactly 4"),
    )
    found = changes_of_rows(old, new)
    assert found.broke == ["way eager, pattern none, direction backward"]
    assert found.mended == ["way eager, pattern left, direction forward"]
    assert found.otherwise == ["way eager, pattern left, direction backward"]
    assert not any((found.stayed, found.joined, found.failed_at_once, found.left))


def test_rows_that_were_left_out() -> None:
    """They neither broke nor were mended: they were not judged."""
    found = changes_of_rows(rows("pattern left", left_out="way eager"), rows("pattern left", left_out="way compiled"))
    assert len(found.joined) == len(found.failed_at_once) == 2
    assert len(found.left) == 4
    assert not any((found.broke, found.mended))


def test_comparison_of_two_failures() -> None:
    """A regression under another failure has a name, and so has what was mended."""
    before, after = crossed(rows("pattern left")), crossed(rows("pattern left", "way eager + direction backward"))
    (worse,) = changes(before, after)
    assert told([worse]) == [("meaning", "worse")]
    assert worse.detail.splitlines() == [
        "1 row broke (way eager, pattern none, direction backward)",
        "4 rows stayed failing (way eager, pattern left, direction forward; way eager, pattern left, direction "
        "backward; way compiled, pattern left, direction forward and 1 more)",
    ]
    assert told(changes(after, before)) == [("meaning", "better")]
    assert changes(before, crossed(rows("pattern left", said="outputs[3, 3] = 7, but should be exactly 1"))) == []
    assert told(changes(before, crossed(rows("pattern left", said=RAISED)))) == [("meaning", "changed")]


def test_change_of_a_verdict_tells_of_rows() -> None:
    """Which rows it is that fail now."""
    (change,) = changes(crossed(rows()), crossed(rows("way eager + pattern left")))
    assert change.detail.splitlines()[0].startswith("2 rows broke (way eager, pattern left, direction forward;")
    assert change.detail.splitlines()[-1] == NUMBERS


def test_comparison_of_failures_without_rows() -> None:
    """By kind: one that came is worse, one that went is better, another in place of one is a change."""
    one = check(verdict="fails", message=NUMBERS)
    two = check(verdict="fails", message=NUMBERS, further=[Further(RAISED)])
    (worse,) = changes(one, two)
    assert (worse.trend, worse.detail) == ("worse", f"new: {RAISED}\n1 failure as before")
    assert told(changes(two, one)) == [("meaning", "better")]
    assert told(changes(one, check(verdict="fails", message=RAISED))) == [("meaning", "changed")]
    assert changes(one, check(verdict="fails", message="outputs[7, 7] = 0.25, but should be exactly 1")) == []


def test_history_speaks_of_rows() -> None:
    """A version at which a clause fails as before, but in other rows, has changed."""
    old, new = crossed(rows("pattern left")), crossed(rows("way eager + direction backward"))
    (timeline,) = timelines([version("3.2", old), version("3.8", new)])
    last = timeline.columns[-1]
    assert [told.partition(" (")[0] for told in last.rows[new.check]] == [
        "1 row broke",
        "3 rows mended",
        "1 row stayed failing",
    ]
    assert last.has_changed("1.1")
    assert "fails, 2 of 8 rows of features failing" in {change.new for change in last.changes}
    assert "1 row broke (way eager, pattern none, direction backward)" in render_history([timeline])


def test_what_stands_beside_a_failure() -> None:
    """Other failures with their case, and how far a known deviation reaches, in cases or in examples."""
    record = check(
        verdict="fails",
        further=[Further(RAISED, "a case", 3, "w.json", "rnn-conformance replay w.json")],
        extents=[Extent("keras-a", 3, 12), Extent("keras-b", 5, 50, "float32's roundoff")],
    )
    assert list(beside(record)) == [
        f"also (3 times): {RAISED} — case: a case — rnn-conformance replay w.json",
        "keras-a: 3 of 12 cases (25 %) left out",
        "keras-b: 5 of 50 examples (10 %) deviate, and are judged at float32's roundoff",
    ]
