"""Results of a backend on several cells, side by side: names, badges, the filter, pictures, the atlas, a comparison."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from example_results import check, results, written

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.reports.overview.caveats import caveats
from rnn_conformance.reports.overview.history import split
from rnn_conformance.reports.overview.sentence import sentence
from rnn_conformance.reports.overview.summary import Summary, summarise
from rnn_conformance.reports.pictures.all import pictures
from rnn_conformance.reports.pictures.gradients import measured_gradients, picture
from rnn_conformance.reports.records.records import CheckRecord, Results
from rnn_conformance.reports.renderings.atlas import atlas
from rnn_conformance.reports.renderings.badges import endpoint, write_badges
from rnn_conformance.reports.renderings.markdown import markdown
from rnn_conformance.reports.site.matrix import choices_of_cells
from rnn_conformance.reports.site.site import render
from rnn_conformance.reports.site.vanishing import story


def of_cells(*cells: str, adapter: str = "torch", record: CheckRecord | None = None) -> list[Results]:
    """Results of an adapter on these cells."""
    return [results(adapter, [record or check("1.1")], cell=cell) for cell in cells]


def three(**options: Any) -> Summary:
    """An adapter on three cells, and another one on the simple RNN alone; the order is not that of the page."""
    return summarise([*of_cells("gru", "simple_rnn", "lstm", **options), results("numpy")])


def pages(summary: Summary) -> dict[str, str]:
    return dict(render(summary))


def test_each_cell_is_a_backend_with_a_name_of_its_own() -> None:
    """The simple RNN's is that of the adapter alone, as it was before there were others."""
    summary = three()
    assert [backend.name for backend in summary.backends] == ["torch-gru", "torch", "torch-lstm", "numpy"]
    assert {cell: len(backends) for cell, backends in summary.by_cell.items()} == {"simple_rnn": 2, "gru": 1, "lstm": 1}
    assert sentence(summary.backends[2]).startswith("torch-lstm (torch 2.13.0)")
    assert sentence(summary.backends[1]).startswith("torch 2.13.0")


def test_a_cell_comes_once() -> None:
    """What is refused is named with its cell."""
    with pytest.raises(ValueError, match=r"adapter torch-lstm comes twice"):
        summarise(of_cells("lstm", "lstm"))


def test_versions_of_one_cell_are_a_timeline() -> None:
    """Those of another cell are none of it."""
    versions = [results(cell="lstm", versions={"torch": version}) for version in ("2.12.0", "2.13.0")]
    newest, over_time = split([*versions, *of_cells("gru")])
    assert [each.header.name for each in newest] == ["torch-lstm", "torch-gru"]
    assert [(each.adapter, len(each.columns)) for each in over_time] == [("torch-lstm", 2)]


def test_runs_of_several_cells_share_a_folder() -> None:
    """Neither results nor evidence of one are those of another."""
    orders = [Order("smoke", 0, Selection(), 1, 60, Path("out"), cell=cell) for cell in ("simple_rnn", "lstm")]
    assert [order.results("torch").name for order in orders] == ["torch.jsonl", "torch-lstm.jsonl"]


def test_badges(tmp_path: Path) -> None:
    """One for each cell of a backend, which names both."""
    names = {path.name for path in write_badges(three(), tmp_path)}
    assert {"torch.svg", "torch-lstm.svg", "torch-gru.json"} <= names
    labels = [endpoint(backend)["label"] for backend in three().backends]
    assert labels == [
        "torch GRU conformance",
        "torch RNN conformance",
        "torch LSTM conformance",
        "numpy RNN conformance",
    ]


def test_page_has_a_filter_of_cells() -> None:
    """With what each of them counts; a page of one cell has none."""
    index = pages(three())["index.html"]
    assert re.findall(r'type="radio" name="cell" value="(\w+)"', index) == ["simple_rnn", "gru", "lstm", "all"]
    assert re.findall(r'<th scope="col" data-backend="[\w-]+" data-cell="(\w+)"', index) == [
        *("gru", "simple_rnn", "lstm", "simple_rnn")
    ]
    conforms = re.findall(r'data-view="float32" data-total="(\w+)"[^>]*>(\d+)', index)
    assert conforms[:4] == [("simple_rnn", "4"), ("gru", "1"), ("lstm", "1"), ("all", "6")]
    assert 'name="cell"' not in pages(summarise([results()]))["index.html"]


def test_choices_of_one_cell() -> None:
    """There is nothing to choose, so nothing stands for all."""
    assert list(choices_of_cells(summarise(of_cells("lstm")))) == ["lstm"]


def test_pages_of_a_cell_say_so() -> None:
    """Each backend's page, and the way from the matrix to it."""
    found = pages(three())
    assert "<dd>LSTM</dd>" in found["backends/torch-lstm.html"]
    assert 'href="cells/torch-lstm/1.1.html"' in found["index.html"]


def test_pictures_of_each_cell() -> None:
    """None has backends of another, and their names and titles are their own."""
    drawn = pictures(three(record=check(shares={"-3": 5})))
    assert [(each.name, each.title, each.cell) for each in drawn] == [
        ("error-shares", "Errors and their bounds", "simple_rnn"),
        ("error-shares-gru", "Errors and their bounds, GRU", "gru"),
        ("error-shares-lstm", "Errors and their bounds, LSTM", "lstm"),
    ]
    index = pages(three(record=check(shares={"-3": 5})))["index.html"]
    assert re.findall(r'<figure class="drawing" data-kind="(\w+)"', index) == ["simple_rnn", "gru", "lstm"]


def test_atlas_has_an_adapter_once() -> None:
    """With the gravest verdict of all cells, which leads to where it was found."""
    failing = results(cell="lstm", checks=[check("1.1", "fails")])
    (section,) = atlas(summarise([*of_cells("simple_rnn"), failing]))
    (held,) = [held for held in section.fact("W").held if held.clause == "1.1"]
    assert (section.backend, held.verdict, held.backend) == ("torch", "fails", "torch-lstm")
    assert 'href="cells/torch-lstm/1.1.html"' in pages(summarise([*of_cells("simple_rnn"), failing]))["atlas.html"]


def test_comparison_of_several_cells(tmp_path: Path) -> None:
    """Each cell is held against the same cell, and what only one side has is said."""
    for folder, cells in (("old", ("simple_rnn", "lstm")), ("new", ("lstm", "gru"))):
        (tmp_path / folder).mkdir()
        for each in of_cells(*cells):
            written(tmp_path / folder / f"{each.header.name}.jsonl", each)
    done = CliRunner().invoke(cli, ["compare", str(tmp_path / "old"), str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    assert "torch-lstm" in done.output
    assert "old: torch only" in " ".join(done.output.split())
    assert done.output.split()[-1] == "torch-gru"


# The vanishing gradient

RIGHT = {"simple_rnn": [0.8, 0.107, 4.1e-20], "lstm": [0.9, 0.5, 1e-3], "gru": [0.95, 0.6, 1e-2]}


def gradients(cell: str, **changes: Any) -> CheckRecord:
    """A gradient that vanishes as the reference of the cell does."""
    figures = {"lag": [1, 10, 200], "small": RIGHT[cell], "reference small": RIGHT[cell], **changes}
    return check("1.1", check="test_gradients.py::test_gradient_over_time[float32-eager]", measured=figures)


def measured() -> Summary:
    """Two adapters on three cells, of which one departs in its LSTM."""
    departing = {("numpy", "lstm"): {"small": [0.9, 0.5, 0.5]}}
    return summarise(
        [
            results(adapter, [gradients(cell, **departing.get((adapter, cell), {}))], cell=cell)
            for adapter in ("torch", "numpy")
            for cell in RIGHT
        ]
    )


def test_gradients_of_the_cells_stand_side_by_side() -> None:
    """In one picture, with a line in the legend for each adapter, whatever its cells."""
    found = measured_gradients(measured())
    assert [each.cell for each in found] == ["simple_rnn", "lstm", "gru"]
    assert [each.with_reference("small") for each in found] == [["torch", "numpy"], ["torch"], ["torch", "numpy"]]
    drawn = str(picture(found).svg)
    for words, times in (("simple RNN", 1), ("LSTM", 1), ("GRU", 1), ("torch", 1), ("numpy", 1), ("small U", 3)):
        assert len(re.findall(rf">\s*{words}\s*</text>", drawn)) == times, words


def test_story_tells_each_cell_apart() -> None:
    """The right norms of each, those of its backends, and why there are gated cells; of one alone, none of that."""
    told = story(measured())
    assert told is not None
    assert {part.cell: part.norms[-1] for part in told.parts} == {cell: (200, (r[-1],)) for cell, r in RIGHT.items()}
    assert [row.backend.name for row in told.parts[1].rows] == ["torch-lstm", "numpy-lstm"]
    html = pages(measured())["vanishing.html"]
    assert "Why there are gated cells" in html
    assert 'href="cells/numpy-lstm/1.1.html"' in html
    alone = pages(summarise([results(checks=[gradients("simple_rnn")])]))["vanishing.html"]
    assert "Why there are gated cells" not in alone


# Clauses that are about one cell


def test_what_is_about_another_cell_is_not_missed() -> None:
    """A run that asked all else is not partial, and neither counts nor lists such a clause."""
    whole = results(checks=[check("1.1"), check("1.2")], of_other_cells=["2.1"])
    (backend,) = summarise([whole]).backends
    assert caveats(backend) == []
    partial = results(checks=[check("1.1")], of_other_cells=["2.1"], cell="lstm")
    told = [caveat.text for caveat in caveats(summarise([partial]).backends[0])]
    assert told == ["1 of 2 clauses not run"]
    found = pages(summarise([whole, partial]))
    assert 'href="../cells/torch/1.2.html"' in found["backends/torch.html"]
    assert 'href="../cells/torch/2.1.html" class="clause-number"' not in found["backends/torch.html"]
    assert found["index.html"].count(" data-of-another-cell>") == 2
    assert "| 2.1 |" not in markdown(summarise([whole]))
