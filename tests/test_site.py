"""The site says what the results say, leads to every cell, and takes nothing in results for markup or for a path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from example_results import (
    CLAUSES,
    HOSTILE,
    HOSTILE_NAMES,
    check,
    every_clause,
    every_verdict,
    failing,
    hostile,
    observation,
    results,
)

from rnn_conformance.reports.overview.history import timelines
from rnn_conformance.reports.overview.summary import summarise
from rnn_conformance.reports.overview.verdicts import SYMBOLS
from rnn_conformance.reports.records.files import beside
from rnn_conformance.reports.records.records import VERDICTS, Results
from rnn_conformance.reports.site.site import ASSETS, backend_page, cell_page, others_page, render, write_site

EVIL_FILES = [
    *("", "..", "../secret", "/etc/passwd", "witnesses/../../secret", "./a", "a//b", "C:a", "a\\b", "a\0b", "a\nb"),
    *("file:///etc/passwd", "https://a.org/x", "javascript:alert(1)", "\ud800", "x" * 5000),
    *("witnesses", "link", "loop", "gone"),  # a folder, links that lead out or nowhere, and what is not there
    HOSTILE,
]


def pages(*runs: Results, folder: Path = Path()) -> dict[str, str]:
    return dict(render(summarise(runs), folder))


def cell_of(run: Results, clause: str = "1.1") -> str:
    """The page of a cell."""
    return pages(run)[cell_page(run.header.adapter, clause)]


class Elements(HTMLParser):
    """Every element of a page, with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def values(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.found if (value := attrs.get(attribute)) is not None]


def links(site: Path) -> Iterator[tuple[Path, str]]:
    """Every link of every page to a place on this machine, with its page."""
    for page in sorted(site.rglob("*.html")):
        for address in Elements(page.read_text(encoding="utf-8")).values("href"):
            if urlsplit(address).scheme != "https":
                yield page, address


# What is where


def test_every_cell_has_a_page_and_a_link() -> None:
    """The matrix has a row for each clause, and each of its cells leads to a page of the same site."""
    runs = [every_verdict("torch"), results("package.module:my adapter")]
    site = pages(*runs)
    matrix = Elements(site["index.html"])
    addresses = matrix.values("href")
    for run in runs:
        name = run.header.adapter
        assert backend_page(name) in site
        for clause in CLAUSES:
            assert cell_page(name, clause) in site
            assert cell_page(name, clause) in addresses
    for clause, text in CLAUSES.items():
        html = site[cell_page("torch", clause)]
        assert f'<span class="clause-number">{clause}</span> on torch' in html
        assert re.sub("`(.*?)`", r"<code>\1</code>", text) in html


@pytest.mark.parametrize("adapter", ["torch", "package.module:my adapter", "../../up"])
def test_every_link_resolves(tmp_path: Path, adapter: str) -> None:
    """Wherever a link leads, there is a file, and where it has a fragment, an element of that id."""
    (tmp_path / "run" / "witnesses").mkdir(parents=True)
    (tmp_path / "run" / failing().witness_file).write_text("{}", encoding="utf-8")
    checks = [*every_verdict().checks, *every_clause(), check("9.9", "broken"), failing()]
    run = replace(results(adapter, checks=checks), path=tmp_path / "run" / "x.jsonl")
    site = tmp_path / "site" / "deep"
    write_site([run, results("numpy")], site)
    found = list(links(site))
    assert len(found) > 20
    for page, address in found:
        path, _, fragment = address.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        assert target.is_file(), f"{address} in {page}"
        if fragment:
            assert fragment in Elements(target.read_text(encoding="utf-8")).values("id"), f"{address} in {page}"
    assert any("witnesses" in address for _, address in found)


def test_ids_are_no_others() -> None:
    """No page has an id twice."""
    for html in [*pages(every_verdict(), results("numpy")).values(), *pages(hostile()).values()]:
        ids = Elements(html).values("id")
        assert len(ids) == len(set(ids))


def test_chapter_shows_its_gravest_verdict_and_counts() -> None:
    """A chapter of one clause that fails and one that conforms fails, and says how many do which."""
    html = pages(results(checks=[failing(), check("1.2"), check("2.1")]))["index.html"]
    row = re.search(r'<tbody class="chapter" data-chapter="1">(.*?)</tbody>', html, re.DOTALL)
    assert row is not None
    text = " ".join(re.sub("<[^>]*>", " ", row[1]).split())
    assert text == "1 Values 2 clauses ✗ fails 1 ✓ conforms 1 ✗ fails"


def test_verdicts_are_told_by_symbol_and_word() -> None:
    """Each verdict has its symbol, its word and its meaning on the first page."""
    html = pages(every_verdict())["index.html"]
    for verdict, meaning in VERDICTS.items():
        assert f'<span class="symbol" aria-hidden="true">{SYMBOLS[verdict]}</span><span class="word">{verdict}<' in html
        assert str(meaning).replace("'", "&#39;") in html


def test_every_backend_has_its_sentence() -> None:
    """Its page begins with all there is to say in one sentence."""
    site = pages(results("torch"), results("numpy"))
    for name in ("torch", "numpy"):
        said = "float32 conforms on 3 of 3 clauses; 300 examples, worst error 0.25 of its bound."
        assert f'<p class="lead">{name} 2.13.0: {said}</p>' in site[backend_page(name)]


def test_neighbours_of_a_cell() -> None:
    """A cell leads to the clause before and after it, to its backend, and to the same clause of other backends."""
    html = pages(results("torch"), results("numpy"))[cell_page("torch", "1.2")]
    addresses = Elements(html).values("href")
    for address in ["1.1.html", "2.1.html"]:
        assert f"../../cells/torch/{address}" in addresses
    assert "../../backends/torch.html#chapter-1" in addresses
    assert "../../cells/numpy/1.2.html" in addresses
    assert 'rel="prev"' not in cell_of(results(), "1.1")
    assert 'rel="next"' not in cell_of(results(), "2.1")


# What is said


def test_cell_has_all_of_its_evidence() -> None:
    """Verdict, figures, the place in words, the message, diagnosis, commands and time stand on the page."""
    explained = failing(
        worst=replace(failing().worst, where="outputs[0, 3, 1]", case="simple_rnn(2 -> 2, relu), float32"),
        message='outputs[0, 0, 1] = 3.0, but should be 5.0 — matches "U transposed"',
        seconds=1.25,
    )
    html = cell_of(results(checks=[explained]))
    for text in [
        "<dt>Examples</dt><dd>100</dd>",
        "<dt>Discriminating</dt><dd>90</dd>",
        ">90 of 100<",
        "<dt>Worst error/bound</dt><dd>∞</dd>",
        "<dt>Where</dt><dd>outputs[0, 3, 1]</dd>",
        "<dt>That is</dt><dd>layer 0, sequence 0, timestep 3, unit 1</dd>",
        "<dt>Time taken</dt><dd>1.25 s</dd>",
        ">outputs[0, 0, 1] = 3.0, but should be 5.0</pre>",
        "<dt>Diagnosis</dt><dd>matches &#34;U transposed&#34;</dd>",
        "relu, 2 features, 2 units, batch 1, 1 timestep",
        "<code>rnn-conformance replay witnesses/torch--test_1_1--float32-eager.json</code>",
        "test_values.py::test_1_1[float32-eager]",
    ]:
        assert text in html


def test_witness_can_be_read() -> None:
    """The arrays of the smallest case stand by name, with their shape and axes, and the wrong number is marked."""
    record = failing()
    html = cell_of(results(checks=[replace(record, witness={**record.witness, "actual": [[[1.0, 3.0]]]})]))
    for text in [
        "<b>inputs</b> (1, 1, 2) <span>sequence, timestep, feature</span>",
        "<b>W</b> (2, 2) <span>unit, feature</span>",
        '<th scope="row">1</th><td>1.0</td><td>2.0</td>',
        '<td>1.0</td><td class="marked"><mark>3.0</mark></td>',
    ]:
        assert text in html


def test_reproducer_is_shown_from_beside_the_results(tmp_path: Path) -> None:
    """The script's text is on the page of the cell, as text, and the site has a copy of its own."""
    run = replace(results(checks=[failing()]), path=tmp_path / "runs" / "torch.jsonl")
    script = tmp_path / "runs" / failing().reproducer_file
    script.parent.mkdir(parents=True)
    script.write_text("print('</code><script>alert(1)</script>')", encoding="utf-8")
    write_site([run], tmp_path / "page")
    html = (tmp_path / "page" / cell_page("torch", "1.1")).read_text(encoding="utf-8")
    assert "<code>print(&#39;&lt;/code&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;)</code>" in html
    copy = f"evidence/torch/{failing().reproducer_file}"
    assert f'href="../../{copy}"' in html
    assert (tmp_path / "page" / copy).read_bytes() == script.read_bytes()
    assert failing().witness_file in html
    assert f'{failing().witness_file}"' not in html, "it is not there, so there is no link"


def test_a_large_script_is_linked_and_not_shown(tmp_path: Path) -> None:
    """A file that nobody would read on a page stays where it is."""
    run = replace(results(checks=[failing()]), path=tmp_path / "torch.jsonl")
    script = tmp_path / failing().reproducer_file
    script.parent.mkdir()
    script.write_text("x = 1\n" * 20_000, encoding="utf-8")
    html = pages(run, folder=tmp_path)[cell_page("torch", "1.1")]
    assert "x = 1" not in html
    assert f'href="../../{failing().reproducer_file}"' in html


def test_backend_says_what_it_is(tmp_path: Path) -> None:
    """Environment, conventions, problems, deviations, observations and what is unsupported have their place."""
    deviation = check("1.2", "deviation", deviation="two-biases", reason="It has two: `b_ih` and `b_hh`.", case="c")
    missing = check("2.1", "unsupported", message="takes batches only", worst=None, examples=0)
    run = results(checks=[failing(), deviation, missing, observation()])
    html = pages(run)[backend_page("torch")]
    for text in [
        "<dt>python</dt><dd>3.12.4</dd>",
        "<dt>W</dt><dd>weight_ih_l0, (units, features)</dd>",
        "outputs[0, 0, 1] = 3.0, but should be 5.0",
        "It has two: <code>b_ih</code> and <code>b_hh</code>.",
        "<dt>the slope of relu at 0</dt><dd>0.0",
        "<dt>takes batches only</dt>",
    ]:
        assert text in html


def test_reason_of_a_deviation_is_told_once() -> None:
    """Two checks of a clause that depart for the same reason do not say it twice on its page."""
    record = check("1.1", "deviation", deviation="two-biases", reason="It has two.", message="21")
    html = cell_of(results(checks=[record, replace(record, check="other", message="left out")]))
    assert html.count("It has two.") == 1
    assert "<b>two-biases</b>, as above" in html


def test_each_deviation_of_a_check_has_its_paragraph() -> None:
    """Where a check departs for two reasons, each stands beside its name."""
    html = cell_of(results(checks=[check("1.1", "deviation", deviation="a, b", reason="One.\nTwo.")]))
    assert '<p class="reason"><b>a</b>: One.</p>' in html
    assert '<p class="reason"><b>b</b>: Two.</p>' in html


def test_checks_without_a_clause_have_a_page() -> None:
    """What cites no clause of the specification is linked from the matrix and from its backend."""
    site = pages(results(checks=[*every_clause(), check("9.9", "broken", message="no such clause")]))
    assert "no such clause" in site[others_page("torch")]
    assert others_page("torch") in Elements(site["index.html"]).values("href")
    assert f"../{others_page('torch')}" in Elements(site[backend_page("torch")]).values("href")
    assert others_page("torch") not in pages(results())


def test_figures_of_a_check() -> None:
    """Figures are a table, or stand as they are."""
    growth = {"lag": [1, 2], "norm": [0.5, 0.123456]}
    measured = {"growth": growth, "by cell": [{"cell": "tanh", "norm": 0.25}], "pairs": {"all": 12}, "share": 0.5}
    html = cell_of(results(checks=[check(measured=measured)]))
    for text in ["<caption>growth</caption>", '<th scope="col">lag</th>', '<td class="number">0.1235</td>']:
        assert text in html
    for text in ['<td class="number">tanh</td>', '<td class="number">12</td>', "share</span> 0.5"]:
        assert text in html


def test_truncated_run_is_told() -> None:
    """A run that was cut short is told apart from a whole one, in the matrix, on its page and on its cells."""
    cut = replace(results(checks=[check("1.1")], planned=[check().check, "test_new"]), footer=None)
    site = pages(cut)
    assert ">truncated</span>" in site["index.html"]
    assert "This run did not reach its end." in site[backend_page("torch")]
    assert "truncated" not in pages(results())["index.html"]
    half = results(checks=[check("1.1")], planned=[check().check, "test_values.py::test_1_1[float64-eager]"])
    assert "1 check of this clause has no record" in pages(half)[cell_page("torch", "1.1")]


def test_pictures_and_other_pages_are_offered_where_there_are_any() -> None:
    """Pictures stand on the first page; there is a history where an adapter comes at several versions."""
    bare = pages(results())
    assert "atlas.html" in bare
    assert "history.html" not in bare
    assert not {"history.html", "#pictures"} & set(Elements(bare["index.html"]).values("href"))
    assert "unsafe-inline" not in bare["index.html"]
    seen = check(shares={"exact": 3, "-2": 5})
    old, new = (results(checks=[seen], versions={"torch": version}) for version in ("2.12.0", "2.13.0"))
    drawn = dict(render(summarise([new]), timelines=timelines([old, new])))
    assert "<svg" in drawn["index.html"]
    assert "<svg" in drawn["history.html"]
    assert drawn["history-torch.svg"].startswith("<svg")
    assert {"atlas.html", "history.html", "#pictures"} <= set(Elements(drawn["index.html"]).values("href"))


# What is hostile


def test_nothing_is_fetched() -> None:
    """Every page loads the style sheet and the script beside it, and its policy allows nothing else."""
    for name, html in [*pages(every_verdict(), results("numpy")).items(), *pages(hostile()).items()]:
        elements = Elements(html)
        root = "../" * name.count("/")
        assert elements.values("src") == [f"{root}site.js"]
        assert [attrs["href"] for tag, attrs in elements.found if tag == "link"] == [f"{root}site.css"]
        assert not {"img", "iframe", "object", "embed", "base", "form", "style"} & {tag for tag, _ in elements.found}
        assert not re.search(r"url\(|@import", html)
        policy = next(a["content"] for _, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
        assert policy is not None
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy


def test_assets_fetch_nothing(tmp_path: Path) -> None:
    """Neither does the style sheet or the script."""
    write_site([results()], tmp_path)
    for asset in ASSETS:
        text = (tmp_path / asset).read_text(encoding="utf-8")
        assert text
        assert not re.search(r"url\(|@import|https?:|fetch\(|XMLHttpRequest|innerHTML|eval\(", text)


def test_everything_is_escaped() -> None:
    """No text of results becomes an element, an attribute or a template's expression, on any page."""
    harmless = [*every_verdict().checks, check("9.9", "broken", measured={"a": [{"b": 1}]})]
    known = {tag for html in pages(results(checks=harmless)).values() for tag, _ in Elements(html).found}
    site = pages(hostile())
    assert len(site) == 4 + len(hostile().header.clauses)
    for html in site.values():
        elements = Elements(html)
        assert html.count("<script") == 1
        assert "{{ 7 * 7 }}" in html
        assert {tag for tag, _ in elements.found} <= known
        assert not [name for _, attrs in elements.found for name in attrs if name.startswith("on") or name == "style"]
        assert not [address for address in elements.values("href") if urlsplit(address).scheme]


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    """Whatever an adapter and its clauses are called, all is written below the folder."""
    site = tmp_path / "a" / "b" / "site"
    clauses = dict.fromkeys(HOSTILE_NAMES, "A clause.")
    runs = [results(name, checks=[check("x")], chapters={}, clauses=clauses) for name in HOSTILE_NAMES[:6]]
    write_site(runs, site)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == len(ASSETS) + 2 + 6 * (2 + len(clauses))
    assert all(path.is_relative_to(site) for path in written)


@pytest.mark.parametrize("file", EVIL_FILES)
def test_files_outside_of_the_results_are_not_linked(tmp_path: Path, file: str) -> None:
    """What a record names is text, unless it is a file in the folder of its results; symbolic links lead nowhere."""
    folder = tmp_path / "run"
    (folder / "witnesses").mkdir(parents=True)
    (tmp_path / "secret").write_text("what nobody may read", encoding="utf-8")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "a").write_text("", encoding="utf-8")
    run = replace(results(checks=[failing(witness_file=file, reproducer_file=file)]), path=folder / "torch.jsonl")
    assert beside(run.path, file) is None
    html = pages(run, folder=tmp_path / "site")[cell_page("torch", "1.1")]
    own = re.compile(r"#main|(\.\./){2}(index\.html|site\.css|backends/.*|cells/.*)")
    assert all(own.fullmatch(address) for address in Elements(html).values("href"))
    assert "what nobody may read" not in html


# How it is written


def test_site_is_written_the_same_twice(tmp_path: Path) -> None:
    """The site depends on the results alone, and can be written where there is no folder yet."""
    runs = [every_verdict(), results("numpy", checks=[check(message="\ud800")])]
    first, second = (write_site(runs, tmp_path / name / "deep") for name in ("a", "b"))
    assert first.name == "index.html"
    files = sorted(path.relative_to(first.parent) for path in first.parent.rglob("*") if path.is_file())
    assert len(files) == 2 + len(ASSETS) + 2 + 2 * len(CLAUSES)
    for file in files:
        assert (first.parent / file).read_bytes() == (second.parent / file).read_bytes()


def test_old_pages_are_removed_and_nothing_else(tmp_path: Path) -> None:
    """A page of a backend that is no longer reported would tell what nobody asked; a file of the user's own stays."""
    write_site([results("torch"), results("numpy")], tmp_path)
    for own in ("cells/notes.html", "cells/torch/own.txt"):
        (tmp_path / own).write_text("my own", encoding="utf-8")
    write_site([results("numpy")], tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.joinpath("cells").rglob("*") if path.is_file()}
    assert left == {"cells/notes.html", "cells/torch/own.txt"} | {cell_page("numpy", clause) for clause in CLAUSES}
    assert not (tmp_path / backend_page("torch")).exists()
