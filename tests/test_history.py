"""Timelines say what each version of a backend changed, in the order of versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from example_results import check, every_clause, observation, results

from rnn_conformance.reports.overview.history import Column, Timeline, split, timelines
from rnn_conformance.reports.overview.summary import summarise
from rnn_conformance.reports.pictures.history import timeline_picture
from rnn_conformance.reports.records.records import Cause, CheckRecord, Results, Worst
from rnn_conformance.reports.site.site import render

HOSTILE = "<script>alert(1)</script> \"' & {{ 7 * 7 }}"


def version(number: str, *checks: CheckRecord, jax: str = "0.10.2", **header: object) -> Results:
    """Results of keras-jax with this version of Keras: every clause conforms, unless a check says otherwise."""
    said = {record.check for record in checks}
    rest = [record for record in every_clause() if record.check not in said]
    found = results("keras-jax", [*checks, *rest], versions={"keras": number, "jax": jax}, **header)
    return replace(found, path=Path(f"{number}.jsonl"))


def render_history(found: Sequence[Timeline]) -> str:
    """The HTML of these timelines in a site."""
    newest = [timeline.columns[-1].backend.results for timeline in found]
    return dict(render(summarise(newest), timelines=found))["history.html"]


def told(column: Column) -> list[tuple[list[str], str, str]]:
    """The changes of a column: subjects, what was said of them, and what is said now."""
    clauses = [(list(those), *change) for story in column.stories for change, those in story.changes.items()]
    return clauses + [([each.subject], each.old, each.new) for each in column.answers]


def known(clause: str, deviation: str) -> CheckRecord:
    return check(clause, "deviation", deviation=deviation)


def over_time() -> Timeline:
    """1.1 fails at first, 2.1 becomes a deviation and then another, 1.2 always conforms."""
    (timeline,) = timelines(
        [
            version("3.10.0", known("2.1", "b")),
            version("3.9.1", known("2.1", "a"), check("1.1", "fails", worst=Worst(4.0, 9.0, "", ""))),
            version("3.8.0", check("1.1", "fails", worst=Worst(4.0, 9.0, "", ""))),
        ]
    )
    return timeline


def test_columns_are_in_the_order_of_versions() -> None:
    """3.10 comes after 3.9; the labels tell the packages that differ, and only those."""
    timeline = over_time()
    assert [column.label for column in timeline.columns] == [["keras 3.8.0"], ["keras 3.9.1"], ["keras 3.10.0"]]
    assert [column.changed for column in timeline.columns] == [[], ["keras"], ["keras"]]
    assert timeline.fixed == ["jax 0.10.2"]
    assert timeline.sentence == ("3 versions, from keras 3.8.0 to keras 3.10.0 with jax 0.10.2: 2 of 3 clauses changed")


@pytest.mark.parametrize(
    "numbers",
    [
        ["3.0.0rc1", "3.0.0", "3.0.0.post1", "3.0.1"],
        ["2.13.0", "2.13.0+cpu"],
        ["nightly", "1.0", "2.0"],  # what is no version comes first
        ["", "<b>", "1.0"],
    ],
)
def test_versions_sort_as_releases_do(numbers: list[str]) -> None:
    """Whatever the order of the files."""
    for order in (numbers, numbers[::-1]):
        (timeline,) = timelines([version(number) for number in order])
        assert [column.label[0].partition(" ")[2] for column in timeline.columns] == numbers


def test_a_label_tells_which_package_changed() -> None:
    """Of two packages that move along the timeline, each column says which is new."""
    (timeline,) = timelines([version("3.1", jax="0.5"), version("3.2", jax="0.6"), version("3.2", jax="0.7")])
    assert [column.label for column in timeline.columns][1] == ["keras 3.2", "jax 0.6"]
    assert [column.changed for column in timeline.columns] == [[], ["keras", "jax"], ["jax"]]
    assert timeline.fixed == []


def test_what_changed_is_told_for_each_column() -> None:
    """A verdict that changed, and another deviation under the same verdict: one came, and one went."""
    assert [told(column) for column in over_time().columns] == [
        [],
        [(["2.1"], "conforms", "deviation (a)")],
        [(["1.1"], "fails", "conforms"), *[(["2.1"], "deviation (a)", "deviation (b)")] * 2],
    ]


def test_clauses_with_the_same_change_are_told_together() -> None:
    """One fault shows in many clauses."""
    (timeline,) = timelines([version("1", check("1.1", "fails"), check("1.2", "fails")), version("2")])
    assert told(timeline.columns[1]) == [(["1.1", "1.2"], "fails", "conforms")]


def test_changes_are_told_by_their_cause() -> None:
    """One cause is one line, however many clauses and verdicts it touches; the clauses are folded, as ranges."""
    cause = Cause("f64", "float64 is computed in float32", "")
    wide = [
        replace(known(clause, "f64"), causes=[cause], dtype=dtype, check=f"{clause}-{dtype}")
        for clause, dtype in (("1.1", "float64"), ("1.2", "float64"), ("2.1", "float32"))
    ]
    fails = check("1.1", "fails", check="1.1-float64", dtype="float64")
    found = timelines([version("1", fails), version("2", *wide), version("3")])
    (timeline,) = found
    assert [[(story.title, len(story.subjects)) for story in column.stories] for column in timeline.columns] == [
        [],
        [("new: float64 is computed in float32", 2), ("now known: float64 is computed in float32", 1)],
        [("gone: float64 is computed in float32", 3)],
    ]
    html = render_history(found)
    assert "<summary>gone: float64 is computed in float32: 3 clauses</summary>" in html
    assert html.count('<details class="story">') == 3
    assert '<a href="cells/keras-jax/1.1.html">1.1</a>' in html


def test_a_change_of_several_causes_is_told_under_each() -> None:
    """So that the number of a cause's clauses is right."""
    both = replace(known("1.1", "a, b"), causes=[Cause("a", "first", ""), Cause("b", "second", "")])
    (timeline,) = timelines([version("1"), version("2", both)])
    stories = timeline.columns[1].stories
    assert [(story.title, story.subjects) for story in stories] == [("new: first", ["1.1"]), ("new: second", ["1.1"])]


def test_a_verdict_that_spreads_to_another_dtype_is_a_change() -> None:
    """A clause that failed in float64 only, and now in float32 too."""
    wide = check("1.1", "fails", check="b", dtype="float64")
    (timeline,) = timelines([version("1", wide, check("1.1")), version("2", wide, check("1.1", "fails"))])
    assert told(timeline.columns[1]) == [(["1.1"], "fails, float64 only", "fails")]


def test_an_observation_that_changed_is_told() -> None:
    """Where the specification is silent, a version may still do otherwise."""
    (timeline,) = timelines([version("1", observation("0.0")), version("2", observation("0.5")), version("3")])
    question = observation().title
    assert [told(column) for column in timeline.columns] == [
        [],
        [([question], "0.0", "0.5")],
        [([question], "0.5", "not observed")],
    ]
    assert timeline.moving == []


def test_what_moves_comes_first() -> None:
    """The clauses that some version changed, and the others."""
    timeline = over_time()
    assert timeline.moving == ["1.1", "2.1"]
    assert timeline.still == ["1.2"]
    assert timeline.rows == [["1.1"], ["2.1"]]


def test_other_differences_are_noted() -> None:
    """A change may come from another profile or another NumPy, and nobody should be blamed for that."""
    environment = {"python": "3.12.4", "platform": "Linux x86_64"}
    (timeline,) = timelines(
        [version("1", profile="smoke", environment={**environment, "numpy": "1.26"}), version("2", seed=8)]
    )
    assert timeline.notes == ["profile: smoke, default", "seed: 7, 8", "numpy: 1.26, unknown"]
    assert over_time().notes == []


def test_results_are_split_into_the_newest_and_the_timelines() -> None:
    """The matrix shows each adapter once, at its newest version, in the order in which the adapters came."""
    runs = [version("3.10.0"), results("torch"), version("3.9.0")]
    newest, found = split(runs)
    assert newest == [runs[0], runs[1]]
    assert [timeline.adapter for timeline in found] == ["keras-jax"]
    assert split([results("torch")])[1] == []


def test_the_same_versions_twice_are_refused() -> None:
    """They would be one column with two contents."""
    first, second = version("3.9.0"), replace(version("3.9.0"), path=Path("again.jsonl"))
    with pytest.raises(ValueError, match=r"keras-jax comes twice: in 3\.9\.0\.jsonl and in again\.jsonl, with"):
        split([first, second])


def test_another_state_of_the_suite() -> None:
    """Where only the digest differs, an old run stands beside a new one, and the timeline says which suite made it."""
    (timeline,) = timelines([version("1", digest="aaa"), version("2", digest="bbb", only=["1", "2.1"])])
    assert "state of the suite: 0.1.0 aaa, 0.1.0 bbb" in timeline.notes
    assert "asked for: everything, 1 and 2.1" in timeline.notes


@pytest.mark.parametrize("change", [{"suite": "0.2.0"}, {"specification": "9.9"}, {"clauses": {"1.1": "other words"}}])
def test_what_cannot_be_compared_is_refused(change: dict[str, object]) -> None:
    """Another suite may judge otherwise: its verdicts say nothing of the version."""
    with pytest.raises(ValueError, match="cannot be shown together") as refused:
        timelines([version("1"), version("2", **change)])
    assert all(part in str(refused.value) for part in (*change, "1.jsonl", "2.jsonl"))


def test_a_truncated_run_is_marked() -> None:
    """What is missing in it is no change of the framework's, and the page says so."""
    cut = replace(version("2", planned=[record.check for record in every_clause()]), checks=[check("1.1")], footer=None)
    found = timelines([version("1"), cut])
    assert told(found[0].columns[1]) == [(["1.2", "2.1"], "conforms", "missing")]
    assert "(truncated)" in render_history(found)


def test_the_page_shows_the_timelines() -> None:
    """The clauses that changed stand first, the others folded; the newest cells lead to their evidence."""
    html = render_history([over_time()])
    first, _, folded = html.rpartition("<details")
    assert '<span class="clause-number">2.1</span>' in first
    assert '<span class="clause-number">1.2</span>' in folded
    assert "<summary>fails → conforms: 1 clause</summary>" in first
    assert "3 versions, from keras 3.8.0 to keras 3.10.0" in first
    assert 'href="cells/keras-jax/2.1.html"' in first
    assert html == render_history([over_time()])


def test_text_of_results_is_text() -> None:
    """Whatever tries to be markup is shown as it is."""
    check_of = check(HOSTILE, "deviation", deviation=HOSTILE, dtype=HOSTILE)
    runs = [version(number, check_of, clauses={HOSTILE: HOSTILE}) for number in ("1", HOSTILE)]
    found = timelines([*runs, version("2", clauses={HOSTILE: HOSTILE}, profile=HOSTILE)])
    html = render_history(found)
    assert "&lt;script&gt;alert(1)" in html
    assert "<script>" not in html
    assert "{{ 7 * 7 }}" in html
    assert "<script" not in timeline_picture(found[0]).svg


def test_the_picture_shows_the_timeline() -> None:
    """A symbol and the worst error of each version; clauses with the same story share a row."""
    timeline = over_time()
    picture = timeline_picture(timeline)
    said = [element.text for element in ElementTree.fromstring(picture.svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"3.8.0", "3.9.1", "3.10.0", "1.1", "2.1"} <= set(said)
    assert "1.2" not in said
    assert [said.count(symbol) for symbol in "✗△✓"] == [3, 3, 3]  # one of each is the legend's
    assert said.count("4.0") == 2
    assert picture.name == "history-keras-jax"
    assert picture == timeline_picture(timeline)


def test_the_picture_of_a_backend_without_faults_says_so() -> None:
    """There is no row to draw."""
    (timeline,) = timelines([version("1"), version("2")])
    assert "Every clause conforms at every version." in timeline_picture(timeline).svg
