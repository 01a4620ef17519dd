"""The vanishing gradient: measured back to lag 200 with few calls, drawn once for all backends, and told on a page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch
from xml.etree import ElementTree

import pytest
from example_results import HOSTILE, check, results

from rnn_conformance.adapters.numpy.adapter import adapter
from rnn_conformance.adapters.numpy.network import NumpyNetwork
from rnn_conformance.conformance.checks.catalogue import checks
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.selftest.trials import check_of
from rnn_conformance.reports.overview.summary import Summary, summarise
from rnn_conformance.reports.pictures.gradients import measured_gradients, picture
from rnn_conformance.reports.records.records import CheckRecord
from rnn_conformance.reports.site.site import render
from rnn_conformance.reports.site.vanishing import story

NAME = "test_gradients.py::test_gradient_over_time"
RIGHT = [0.8, 0.107, 4.1e-20]


def record(dtype: str = "float32", **figures: Any) -> CheckRecord:
    """A gradient that vanishes as the reference does."""
    found = {"lag": [1, 10, 200], "small": RIGHT, "reference small": RIGHT, **figures}
    return check("1.1", check=f"{NAME}[{dtype}-eager]", dtype=dtype, measured=found)


def measured(**backends: CheckRecord) -> Summary:
    return summarise([results(name, [each]) for name, each in backends.items()])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_smoke_run_reaches_lag_200_with_a_call_for_each_kernel(dtype: str) -> None:
    """All lags of a kernel are rows of one batch: more lags cost no calls, and no compilations."""
    run = check_of(f"{NAME}[{dtype}]", Subject(adapter), dtype, "smoke", 0)
    with patch.object(NumpyNetwork, "gradients", autospec=True, side_effect=NumpyNetwork.gradients) as calls:
        checks()[NAME](run)
    assert calls.call_count == 3
    figures = run.evidence.measured
    assert figures["lag"][0] == 1
    assert figures["lag"][-1] == 200
    assert figures["small"][-1] < 1e-18
    assert 1 < figures["orthogonal"][-1] < 3
    assert figures["large"][-1] > 1e18
    assert run.evidence.discriminating == run.evidence.examples == 3


def test_backends_lie_over_each_other() -> None:
    """One picture has all backends: those that are with the reference share a line, others have their own."""
    departing = record(small=[0.8, 0.107, 0.0])
    (found,) = measured_gradients(measured(torch=record(), numpy=record(), own=departing))
    assert found.with_reference("small") == ["torch", "numpy"]
    drawn = picture([found])
    words = [
        "".join(each.itertext()).strip()
        for each in ElementTree.fromstring(drawn.svg).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert [words.count(word) for word in ("torch", "numpy", "own", "small U")] == [1, 1, 1, 1]
    assert "200" in words
    assert drawn.svg == picture([found]).svg


def test_float32_is_drawn_where_it_was_measured() -> None:
    """It is the same story in every dtype, so that it is told once."""
    both = summarise([results(checks=[record("float64"), record()]), results("numpy", [record("float64")])])
    (found,) = measured_gradients(both)
    assert (found.dtype, list(found.adapters)) == ("float32", ["torch"])
    (only,) = measured_gradients(measured(torch=record("float64")))
    assert only.dtype == "float64"


def test_the_page_tells_the_story() -> None:
    """The right norms by lag, those of each backend with its verdict, and a way to it from the first page."""
    departing = replace(record(small=[0.8, 0.107, 0.0]), verdict="fails")
    pages = dict(render(measured(torch=record(), own=departing)))
    html = pages["vanishing.html"]
    assert html.count("<svg") == 1
    for text in [
        '<th scope="row" class="number">200</th><td class="number">4.1e-20</td>',
        '<a href="backends/torch.html">torch</a></th><td class="number">200</td><td class="number">4.1e-20</td>',
        '<a href="backends/own.html">own</a></th><td class="number">200</td><td class="number">0</td>',
        'href="cells/own/1.1.html"',
    ]:
        assert text in html
    assert 'href="vanishing.html"' in pages["index.html"]
    assert "gradient-over-time" not in pages["index.html"], "it is told once"


def test_backends_that_were_measured_less_far_are_told_as_such() -> None:
    """An older run stops at its last lag; the right norms are those of the run that reaches furthest."""
    short = record(lag=[1, 10, 20], small=[0.8, 0.107, 0.01], **{"reference small": [0.8, 0.107, 0.0115]})
    found = story(measured(torch=short, numpy=record()))
    assert found is not None
    (told,) = found.parts
    assert [lag for lag, _ in told.norms] == [1, 10, 200]
    assert [(row.backend.name, row.lag) for row in told.rows] == [("torch", 20), ("numpy", 200)]


@pytest.mark.parametrize(
    "figures", [{"reference small": "none"}, {"lag": [1, 1, 2]}, {"lag": HOSTILE}, {"small": [HOSTILE] * 3}]
)
def test_without_figures_there_is_no_page(figures: dict[str, Any]) -> None:
    """Results that measured no gradient, or have something else in its place, have no such story."""
    for each in (check("1.1"), record(**figures)):
        pages = dict(render(measured(torch=each)))
        assert "vanishing.html" not in pages
        assert "vanishing.html" not in pages["index.html"]


def test_names_that_try_to_be_markup_are_text() -> None:
    """As on every page."""
    html = dict(render(summarise([results(HOSTILE, [record()])])))["vanishing.html"]
    assert html.count("<script") == 1
    assert "&lt;script&gt;alert(1)" in html
