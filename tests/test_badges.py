"""A badge says how a backend stands, honestly, to people who see it and to those who hear it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from example_results import check, every_clause, failing, results

from rnn_conformance.reports.overview.summary import Backend, summarise
from rnn_conformance.reports.records.harmless import file_name
from rnn_conformance.reports.records.records import Results
from rnn_conformance.reports.renderings.badges import COLOURS, endpoint, message, picture, write_badges

DOUBLE = "float32 3 of 3 clauses; float64 1 with a known deviation"
SVG = "{http://www.w3.org/2000/svg}"


def backend(run: Results) -> Backend:
    return summarise([run]).backends[0]


@pytest.mark.parametrize(
    ("run", "text", "status"),
    [
        (results(), "float32 3 of 3 clauses", 0),
        (results(checks=[check("1.1")]), "float32 1 of 1 clause; partial", 0),
        (results(checks=[check("1.1"), check("1.2", "deviation"), check("2.1", "unsupported")]), "", 0),
        (results(checks=[failing(), *every_clause()[1:]]), "float32 2 of 3 clauses, 1 failing", 1),
        (
            results(checks=[*every_clause(), check("9.9", "broken")]),
            "float32 3 of 3 clauses; 1 check without a clause broken",
            3,
        ),
        (replace(results(), footer=None), "float32 3 of 3 clauses; truncated", 3),
        (results(checks=[*every_clause(), check("1.1", "deviation", dtype="float64", check="x")]), DOUBLE, 0),
        (results(profile="smoke", digest="0"), "float32 3 of 3 clauses; first look", 0),
        (results(checks=[]), "no clause was checked; partial", 3),
    ],
)
def test_message(run: Results, text: str, status: int) -> None:
    """Everything that does not conform is told, not only what does; the colour is that of the exit status."""
    assert message(backend(run)) == (text or "float32 1 of 3 clauses, 1 with a known deviation, 1 unsupported")
    assert endpoint(backend(run))["color"] == COLOURS[status]


def test_endpoint() -> None:
    """The fields that a badge service asks for."""
    assert endpoint(backend(results())) == {
        "schemaVersion": 1,
        "label": "torch RNN conformance",
        "message": "float32 3 of 3 clauses",
        "color": COLOURS[0],
    }


def test_picture() -> None:
    """It names itself to a screen reader, explains itself, and has room for its text."""
    svg = ElementTree.fromstring(picture(backend(results())))
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == "torch RNN conformance: float32 3 of 3 clauses"
    assert (svg.findtext(f"{SVG}title") or "").startswith("torch 2.13.0: float32 conforms on 3 of 3 clauses;")
    left, right = svg.iter(f"{SVG}text")
    assert [left.text, right.text] == ["torch RNN conformance", "float32 3 of 3 clauses"]
    end = float(right.get("x", "0")) + float(right.get("textLength", "0"))
    assert float(left.get("x", "0")) + float(left.get("textLength", "0")) < float(right.get("x", "0"))
    assert end < float(svg.get("width", "0"))


def test_colours_can_be_read_on() -> None:
    """White on each has a contrast of 4.5 to 1, as WCAG asks for."""

    def light(channel: str) -> float:
        value = int(channel, 16) / 255
        return float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)

    for colour in COLOURS.values():
        red, green, blue = (light(colour[at : at + 2]) for at in (1, 3, 5))
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 4.5


def test_files(tmp_path: Path) -> None:
    """Each backend has both, in the folder badges, whatever its name."""
    names = ["torch", "../../evil", "a:b", "a_b", "</svg><script>"]
    written = write_badges(summarise([results(name) for name in names]), tmp_path / "page")
    files = {path.relative_to(tmp_path / "page").as_posix() for path in written}
    assert files == {f"badges/{file_name(name)}.{ending}" for name in names for ending in ("svg", "json")}
    assert {"badges/torch.svg", "badges/torch.json"} <= files
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert json.loads(text) if path.suffix == ".json" else ElementTree.fromstring(text)


def test_a_hostile_name() -> None:
    """It is text, on one line, of a length that a badge can have."""
    name = "\x1b[31m\n<script>\"'" + "x" * 999
    run = backend(results(name))
    assert str(endpoint(run)["label"]).startswith("\\x1b[31m <script>\"'xxx")
    assert len(str(endpoint(run)["label"])) < 90
    svg = ElementTree.fromstring(picture(run))
    assert {element.tag.removeprefix(SVG) for element in svg.iter()} == {"svg", "title", "rect", "g", "text"}
