"""The pictures show what the results say: nothing else, always the same, and never markup from a results file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from example_results import check, results

from rnn_conformance.adapters.numpy.adapter import adapter
from rnn_conformance.conformance.checks.catalogue import checks
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.selftest.trials import check_of
from rnn_conformance.reports.overview.summary import summarise
from rnn_conformance.reports.pictures import drawing, measured
from rnn_conformance.reports.pictures.all import pictures
from rnn_conformance.reports.pictures.drawing import Picture, shown
from rnn_conformance.reports.records.records import CheckRecord

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script> \"' & $x^2$ \x1b[31m \x00 \ud800 ]]>"


def of(function: str, dtype: str = "float32", **figures: Any) -> CheckRecord:
    """A record of a check function with its figures."""
    return check(check=f"test_values.py::{function}[{dtype}-eager]", dtype=dtype, measured=figures)


def errors(**changes: Any) -> CheckRecord:
    """Errors over three timesteps; those of the large kernel grow tenfold."""
    small, large = [1e-8, 2e-8, 1e-8], [1e-8, 1e-7, 1e-6]
    bounds = {"bound small": [5e-8] * 3, "bound large": [1e-7, 1e-6, 1e-5]}
    return of("test_error_over_time", **{"timestep": [1, 10, 100], "small": small, "large": large, **bounds, **changes})


def ulps(**changes: Any) -> CheckRecord:
    """tanh is most accurate far from zero."""
    return of("test_declared_accuracy", tanh={"input": [-8.25, 0.25, 8.25], "ulps": [0.5, 1.5, 0.5], **changes})


def drawn(*checks: CheckRecord, others: Mapping[str, list[CheckRecord]] | None = None, **header: Any) -> list[Picture]:
    """The pictures of a backend with these records, and of others."""
    runs = [results("torch", list(checks), **header)]
    return pictures(summarise([*runs, *(results(name, each) for name, each in (others or {}).items())]))


def texts(picture: Picture) -> list[str]:
    """All that stands written in a picture."""
    return [
        " ".join("".join(element.itertext()).split())
        for element in ElementTree.fromstring(picture.svg).iter(f"{SVG}text")
    ]


def test_there_are_pictures_of_what_was_measured_only() -> None:
    """Results without figures have none; with all figures there is one of each, and one for each dtype of a curve."""
    assert drawn(check()) == []
    found = drawn(
        check(shares={"exact": 3, "-2": 1}),
        errors(),
        replace(errors(), dtype="float64", check="test_values.py::test_error_over_time[float64-eager]"),
        ulps(limit=5),
        detection={"killed": 9, "of": 10, "seeds": 1, "profile": "default"},
    )
    assert [picture.name for picture in found] == [
        "error-shares",
        "error-over-time-float32",
        "error-over-time-float64",
        "activation-ulps",
        "detection",
    ]


@pytest.mark.slow
def test_checks_record_what_pictures_draw() -> None:
    """The figures in a results file are those that are looked for: nothing that is measured is lost on the way."""
    found = []
    for name in (
        "test_values.py::test_error_over_time",
        "test_activations.py::test_declared_accuracy",
    ):
        run = check_of(f"{name}[float32]", Subject(adapter), "float32", "smoke", 0)
        checks()[name](run)
        figures = json.loads(json.dumps(run.evidence.measured))
        found.append(check(check=f"{name}[float32-eager]", measured=figures, shares=dict(run.evidence.shares)))
    drawn_of = {picture.name: texts(picture) for picture in drawn(*found)}
    assert list(drawn_of) == [
        "error-shares",
        "error-over-time-float32",
        "activation-ulps",
    ]
    assert {"small U", "orthogonal U", "large U"} <= set(drawn_of["error-over-time-float32"])
    assert {"tanh, float32", "sigmoid, float32", "limit 5 ULP"} <= set(drawn_of["activation-ulps"])


def test_shares_are_added_up_over_records() -> None:
    """The errors of all records are one distribution; from 1 on they are beyond the bound."""
    (picture,) = drawn(
        check(shares={"exact": 10, "-3": 5, "-20": 1}), check(check="b", shares={"-3": 2, "0": 1, "20": 1})
    )
    assert {"torch", "20 errors", "2", "beyond"} <= set(texts(picture))


def test_what_has_no_bound_stands_apart() -> None:
    """With a bar of its own, where there is any."""
    (picture,) = drawn(check(shares={"exact": 10, "unbounded": 3}))
    assert {"none", "13 errors"} <= set(texts(picture))
    (picture,) = drawn(check(shares={"exact": 10}))
    assert "none" not in texts(picture)


@pytest.mark.parametrize("shares", [{"exact": -1}, {"exact": 10**400}])
def test_counts_that_cannot_be_are_left_out(shares: dict[str, int]) -> None:
    """A number that cannot be draws nothing."""
    assert drawn(check(shares=shares)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"timestep": None},
        {"timestep": []},
        {"timestep": [1, 2]},
        {"timestep": [1, 1, 2]},
        {"timestep": [3, 2, 1]},
        {"timestep": [1, 2, "inf"]},
        {"timestep": [1, 2, 10**400]},
        {"timestep": {"1": 2}},
        {"small": 3, "large": "large"},
        {"small": [1, 2], "large": [[1], [2], [3]]},
        {"small": [True, False, True], "large": [None, 1, 2]},
        {"small": ["a", "b", "c"], "large": [HOSTILE] * 3},
        {"bound small": [], "bound large": [1]},
        {"small": [0, 0, 0], "bound small": [-1, 0, 0], "large": ["nan"] * 3, "bound large": ["inf"] * 3},
    ],
)
def test_figures_of_another_shape_are_left_out(changes: dict[str, Any]) -> None:
    """What is no curve is not drawn, and is no reason to fail."""
    assert drawn(errors(**changes)) == []


def test_other_figures_of_another_shape_are_left_out() -> None:
    """The same for accuracy and the detection score."""
    for figures in (3, [], {"input": [1]}, {"input": [1, 2], "ulps": [1]}, {"input": 1, "ulps": 1}, HOSTILE):
        assert drawn(of("test_declared_accuracy", tanh=figures, sigmoid=figures)) == []
    for score in (
        {"killed": 2, "of": 1},
        {"killed": True, "of": 10},
        {"killed": 0, "of": 0},
        {"killed": 1, "of": 10**9},
    ):
        assert drawn(check(), detection=score) == []


def test_a_curve_with_gaps_is_drawn_without_them() -> None:
    """A logarithmic axis has no place for zero, infinity, NaN, what is negative and what is absurdly large."""
    (picture,) = drawn(errors(small=[0, "inf", 1e-8], large=[1e300, -1, 5e-324]))
    drawn_as = [element.attrib["d"] for element in ElementTree.fromstring(picture.svg).iter(f"{SVG}path")]
    assert not [path for path in drawn_as if "nan" in path or "inf" in path]


def test_backends_that_err_alike_share_a_line() -> None:
    """Eight equal lines would hide one another: they are one, with all names; the limit is drawn where it is known."""
    others = {"numpy": [ulps(limit=5)], "jax-scan": [ulps(limit=5, ulps=[0.5, 4.5, 0.5])]}
    (picture,) = drawn(ulps(limit=5), others=others)
    assert {"torch, numpy", "jax-scan", "limit 5 ULP", "tanh, float32"} <= set(texts(picture))


def test_every_fault_of_the_catalogue_has_its_mark() -> None:
    """As many squares as faults, of which those that nothing noticed are crosses; 100 % is only if there is none."""
    (picture,) = drawn(check(), detection={"killed": 2998, "of": 3000, "seeds": 20, "profile": "default"})
    assert "2998 of 3000 noticed (99.9 %)" in texts(picture)
    uses = [element.attrib["style"] for element in ElementTree.fromstring(picture.svg).iter(f"{SVG}use")]
    assert sum("--picture-good" in style for style in uses) == 2998
    assert sum("--picture-bad" in style for style in uses) == 2
    assert picture.caption.startswith("2998 of 3000 planted faults noticed with each of 20 seeds, profile default:")


@pytest.fixture(scope="module")
def some() -> list[Picture]:
    """Pictures with text that tries to be markup."""
    header = {"detection": {"killed": 9, "of": 10, "seeds": 1, "profile": HOSTILE}}
    record = check(shares={"exact": 3, "-2": 1, "4": 1})
    return drawn(record, others={HOSTILE: [record, errors(), ulps(limit=5)]}, **header)


def test_text_is_text(some: list[Picture]) -> None:
    """A name that tries to be markup or a formula is shown as it is; what XML has no place for is replaced."""
    assert len(some) == 4
    for picture in some:
        root = ElementTree.fromstring(picture.svg)
        assert not list(root.iter(f"{SVG}script"))
        assert "<script" not in picture.svg
        assert not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff]", picture.svg)
    assert '<script>alert(1)</script> "…' in texts(some[0])
    assert shown(HOSTILE, 100) == "<script>alert(1)</script> \"' & $x^2$ �[31m � � ]]>"


def test_pictures_can_stand_in_one_page(some: list[Picture]) -> None:
    """No two of their ids are the same, each reference leads to one of its own, and nothing comes from elsewhere."""
    seen: set[str] = set()
    for picture in some:
        root = ElementTree.fromstring(picture.svg)
        ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        assert len(ids) == len(set(ids))
        assert all(name.startswith(f"{picture.name}-") for name in ids)
        assert not seen & set(ids)
        seen |= set(ids)
        referred = re.findall(r'href="([^"]*)"', picture.svg) + re.findall(r"url\(([^)]*)\)", picture.svg)
        assert referred
        assert {name.removeprefix("#") for name in referred} <= set(ids)
        assert "http://" not in picture.svg.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_pictures_tell_what_they_are(some: list[Picture]) -> None:
    """A reader who hears the page hears the title and the caption."""
    for picture in some:
        root = ElementTree.fromstring(picture.svg)
        named = {element.attrib.get("id"): element.text for element in root}
        title, desc = root.attrib["aria-labelledby"].split()
        assert root.attrib["role"] == "img"
        assert named[title] == picture.title
        assert named[desc] == shown(picture.caption, 1000)
        assert "width" not in root.attrib


def test_every_colour_follows_the_page(some: list[Picture]) -> None:
    """Outside the variables' own declarations there is no colour that light and dark would have in common."""
    for picture in some:
        outside = re.sub(r"<style>.*?</style>", "", picture.svg, flags=re.DOTALL)
        assert not re.findall(r"#[0-9a-f]{3,6}\b(?![-\w])", re.sub(r'(href="#|url\(#)[^")]*', "", outside))
        assert "prefers-color-scheme: dark" in picture.svg


def test_the_same_results_give_the_same_bytes(some: list[Picture]) -> None:
    """No date, no version, no random ids: a picture changes only if what it shows does."""
    record = check(shares={"exact": 3, "-2": 1, "4": 1})
    first, second = (drawn(record)[0].svg for _ in range(2))
    assert first == second
    assert "matplotlib" not in first.lower()


def test_no_two_colours_are_the_same() -> None:
    """A colour stands for its variable, so that each must be another."""
    colors = [drawing.INK, drawing.FAINT, drawing.LINE, drawing.PANEL, drawing.PAPER, drawing.GOOD, drawing.BAD]
    colors += [drawing.KNOWN, drawing.LOST, drawing.NONE, *(series.color for series in drawing.SERIES)]
    assert len(set(colors)) == len(colors)


def test_numbers_are_read_with_care() -> None:
    """Booleans and text are no numbers; what is not finite is a gap."""
    assert measured.numbers([1, 0.5, 0]) == [1.0, 0.5, 0.0]
    assert str(measured.numbers(["nan", "inf", 1e200, 10**400])) == "[nan, nan, nan, nan]"
    for wrong in (None, [], [True], ["1"], [None], {}, "12", [[1]], [0.0] * 10_000):
        assert measured.numbers(wrong) is None


def test_matplotlib_is_imported_only_to_draw() -> None:
    """The command line's help does not wait for it."""
    imported = "rnn_conformance.reports.pictures.all, rnn_conformance.reports.pictures.history"
    code = f"import sys, {imported}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {name for name in done.stdout.split() if name.startswith(("matplotlib", "numpy"))}
