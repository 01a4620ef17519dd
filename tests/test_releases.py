"""Which releases a sweep goes through, and what it holds each of them against."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

pytest.importorskip("unearth")
pytest.importorskip("uv")

import sweeping
from sweeping import index, package, resolved, with_versions

from rnn_conformance.conformance.sweeping import plan as planning
from rnn_conformance.conformance.sweeping.environments import CannotBeMade, Wanted, versions_in, with_suite
from rnn_conformance.conformance.sweeping.indexes import Indexes, from_settings
from rnn_conformance.conformance.sweeping.plan import Plan, Span, in_order, packages_of, plan
from rnn_conformance.conformance.sweeping.releases import releases
from rnn_conformance.conformance.sweeping.wheel import suite_wheel
from rnn_conformance.reports.renderings.releases_markdown import releases_json, releases_markdown
from rnn_conformance.reports.site.releases import write_releases
from rnn_conformance.reports.upgrades.releases import Tried, timeline


@pytest.fixture
def small_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index of sweeping.py in place of a real one."""
    monkeypatch.setattr(planning, "files_of", lambda name, indexes: index(name))
    monkeypatch.setattr(planning, "lock", resolved)


def planned(*packages: str, **options: object) -> Plan:
    span = Span(packages, date(2024, 1, 5), **options)  # type: ignore[arg-type]
    return plan("keras-jax", span, Indexes(), "3.11")


def test_releases_of_no_use_are_left_out_with_the_reason() -> None:
    """Yanked ones, and ones without a wheel for this Python; older ones and pre-releases are not even told of."""
    files = [
        package("keras", "3.0.0", "2023-01-01"),
        package("keras", "3.1.0"),
        package("keras", "3.2.0", yank_reason="broken"),
        package("keras", "3.3.0", requires_python=">=9"),
        package("keras", "3.4.0", tags="cp27-cp27m-win32"),
        package("keras", "3.5.0rc1"),
        package("keras", "3.6.0", ""),
    ]
    kept, left = releases("keras", files, date(2024, 1, 1))
    assert [str(each) for each in kept] == ["keras 3.1.0"]
    reasons = {each.release.version: each.reason for each in left}
    assert reasons["3.2.0"] == "yanked: broken"
    assert reasons["3.3.0"].startswith("it needs Python >=9, and this is")
    assert reasons["3.4.0"].startswith("it has no wheel for Python")
    assert reasons["3.6.0"] == "no index says when it was uploaded"
    assert set(reasons) == {"3.2.0", "3.3.0", "3.4.0", "3.6.0"}
    with_pre, _ = releases("keras", files, date(2024, 1, 1), pre=True)
    assert [each.version for each in with_pre] == ["3.1.0", "3.5.0rc1"]


@pytest.mark.usefixtures("small_index")
def test_points_of_a_sweep_have_neighbours_of_their_day() -> None:
    """Each release is pinned, and may be newer than its day, as dates can be wrong; the others fit that day."""
    points = planned("keras", "jax").points
    assert [str(point.release) for point in points] == [
        *("keras 3.0.0", "keras 3.1.0", "jax 0.4.30", "keras 3.2.0", "keras 3.1.1", "jax 0.4.31"),
    ]
    wanted = points[1].wanted
    assert wanted.requirements == ["keras==3.1.0", "jax>=0.4.30"]
    assert (wanted.day, wanted.exempt) == (date(2024, 2, 10), {"keras": None})
    assert versions_in(resolved(wanted, Indexes())) == {"keras": "3.1.0", "jax": "0.4.20"}


@pytest.mark.usefixtures("small_index")
def test_pin_overrules_the_day_with_all_that_it_needs() -> None:
    """It is in every environment, and what it needs may be as new as it is."""
    point = planned("keras", pins=["jax==0.4.31"]).points[0]
    assert point.wanted.requirements == ["keras==3.0.0", "jax==0.4.31"]
    assert point.wanted.exempt["jax"] is None
    with pytest.raises(ValueError, match="jax is pinned, and to be swept as well"):
        planned("keras", "jax", pins=["jax==0.4.31"])


@pytest.mark.usefixtures("small_index")
def test_lines_and_histories() -> None:
    """Of a line the newest may be enough; a history of one package goes by version, one of several by date."""
    lines = planned("keras", lines=True)
    assert [point.release.version for point in in_order(lines, ["keras"])] == ["3.0.0", "3.1.1", "3.2.0"]
    every = planned("keras", "jax")
    heads = [str(point.release) for point in in_order(every, ["keras", "jax"])]
    assert "keras 3.1.1" not in heads
    assert heads[-2:] == ["keras 3.2.0", "jax 0.4.31"]


def test_packages_are_those_that_the_adapter_names() -> None:
    """All of them, or those asked for; a wrong name is told the right ones."""
    assert packages_of("flax-linen") == ["flax", "jax"]
    assert packages_of("flax-linen", ["jax"]) == ["jax"]
    with pytest.raises(ValueError, match="torch is no package of flax-linen; it has flax, jax"):
        packages_of("flax-linen", ["torch"])
    with pytest.raises(ValueError, match="numpy names no packages of its own"):
        packages_of("numpy")


@pytest.mark.usefixtures("small_index")
def test_below_the_oldest_supported_version_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left out of the sweep before an environment is made."""
    monkeypatch.setitem(sweeping.DAYS["keras"], "2.15.0", "2024-01-20")
    left = planned("keras").left_out
    assert {str(each.release): each.reason for each in left} == {"keras 2.15.0": "keras-jax needs keras 3.0 or newer"}


def test_indexes_are_those_of_pip_or_of_uv() -> None:
    """uv's variables come first, then what pip is set up with."""
    pip = {"index-url": "https://a.org/simple", "extra-index-url": "https://b.org/x https://c.org/x"}
    pip["find-links"] = "/w /w"
    found = from_settings(pip, {})
    assert found.index == "https://a.org/simple"
    assert (found.further, found.find_links) == (["https://b.org/x", "https://c.org/x"], ["/w"])
    assert from_settings(pip, {"UV_DEFAULT_INDEX": "https://d.org/simple"}).index == "https://d.org/simple"
    assert from_settings({}, {}).options()[1:3] == ["--default-index", "https://pypi.org/simple"]


def test_environment_has_what_the_suite_needs() -> None:
    """Hypothesis in the version that runs here, as it draws the cases, and nothing of the desk."""
    wanted = with_suite(Wanted(["keras==3.1.0"], date(2024, 2, 10), "3.11"))
    names = {each.split("==")[0].split(">")[0] for each in wanted.requirements}
    assert {"keras", "hypothesis", "numpy", "pytest"} <= names
    assert not {"rich", "jinja2", "torch"} & names
    assert wanted.exempt == {"archspec": date(2024, 2, 26), "hypothesis": None}


def test_wheel_holds_the_running_suite() -> None:
    """The same bytes each time, with the checks, the data and the entry points."""
    import io
    import zipfile

    wheel = suite_wheel()
    names = zipfile.ZipFile(io.BytesIO(wheel.data)).namelist()
    assert wheel.name.startswith("rnn_conformance-")
    for part in ("conformance/checks/test_values.py", "reference/SPEC.md", "conformance/known/deviations.toml"):
        assert f"rnn_conformance/{part}" in names
    assert any(name.endswith("entry_points.txt") for name in names)
    assert names[-1].endswith("RECORD")


def tried(version: str, day: str, verdict: str = "conforms") -> Tried:
    """Keras in a version on a day; no verdict means that it could not be run."""
    found = with_versions({"keras": version}, verdict) if verdict else None
    return Tried("keras", version, day, found, "" if found else "install: no wheel")


def test_timeline_holds_each_release_against_the_one_before(tmp_path: Path) -> None:
    """By date; one of an older line is held against its own line; a skipped one is passed over, with its reason."""
    found = timeline(
        "keras-jax",
        [
            tried("3.10.0", "2024-01-01"),
            tried("3.11.0", "2024-02-01", ""),
            tried("3.12.0", "2024-03-01", "fails"),
            tried("3.10.1", "2024-04-01"),
            tried("3.13.0", "2024-05-01", "fails"),
        ],
        {"keras 3.9": "yanked"},
    )
    before = {row.tried.version: row.before.version if row.before else "" for row in found.rows}
    assert before == {"3.10.0": "", "3.11.0": "", "3.12.0": "3.10.0", "3.10.1": "3.10.0", "3.13.0": "3.12.0"}
    assert [row.tried.version for row in found.rows if row.kinds("1")] == ["3.12.0"]
    assert found.rows[2].chapters == {"1": "fails", "2": "not run"}
    assert found.sentence.startswith("5 releases, 1 skipped, from keras 3.10.0 (2024-01-01)")
    text = releases_markdown([found])
    assert "| keras 3.12.0 | 2024-03-01 | ✗ M |" in text
    assert "> install: no wheel" in text
    assert "- keras 3.9: yanked" in text
    assert '"before": "keras 3.10.0"' in releases_json([found])
    page = write_releases([found], tmp_path).read_text(encoding="utf-8")
    assert "keras 3.12.0" in page
    assert "install: no wheel" in page
    assert (tmp_path / "sweep-keras-jax.svg").exists()


def test_what_cannot_be_compared_says_why() -> None:
    """Such as results of two states of the suite."""
    old = Tried("keras", "3.0", "2024-01-01", with_versions({"keras": "3.0"}, "conforms", digest="a"))
    new = Tried("keras", "3.1", "2024-02-01", with_versions({"keras": "3.1"}, "conforms", digest="b"))
    assert "another state of the suite" in timeline("keras-jax", [old, new]).rows[1].outcome


def test_uv_that_finds_no_solution_is_no_failure_of_uv() -> None:
    """The two are told apart: only the first is kept."""
    with pytest.raises(CannotBeMade, match="needs jax"):
        resolved(Wanted(["keras==3.2.0", "jax==0.4.31"], date(2024, 6, 10), "3.11"), Indexes())
