"""Whatever a results file holds, it is refused by file and line, or shown as nothing but text.

``pytest tests/test_fuzz_loading.py -s --fuzz-examples 100000`` tries as many files, new ones each time, and says how it
went; the default tries the same few every day.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from mutations import ATTRIBUTE, LINES, TAG, damaged
from rich.console import Console

from rnn_conformance.reports.documents.document import as_json
from rnn_conformance.reports.documents.loading import load, validate_document
from rnn_conformance.reports.overview.summary import Summary, summarise
from rnn_conformance.reports.records.harmless import safe_relative
from rnn_conformance.reports.records.records import DamagedResults, Results
from rnn_conformance.reports.renderings.badges import endpoint, picture
from rnn_conformance.reports.renderings.comparison_markdown import comparison_markdown
from rnn_conformance.reports.renderings.comparison_terminal import TerminalComparison
from rnn_conformance.reports.renderings.junit import junit
from rnn_conformance.reports.renderings.markdown import markdown
from rnn_conformance.reports.renderings.terminal import TerminalReport
from rnn_conformance.reports.site.site import render
from rnn_conformance.reports.upgrades.comparison import NotComparable, compare

FOLDS = re.compile(r"^(<details>|</details>|(<details>)?<summary>[^<]*</summary>)$", re.MULTILINE)
"""What Markdown folds by, a line of its own; there may be no other element."""


@pytest.mark.slow
def test_no_file_does_harm(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """A file is refused with its name, and the line where there is damage; or all that is made of it is harmless."""
    examples = pytestconfig.getoption("--fuzz-examples")
    file = tmp_path / "fuzzed.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    (undamaged,) = load([file])
    ended: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples <= 150,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged())
    def tried(data: bytes) -> None:
        file.write_bytes(data)
        results, damage = loaded(file)
        if results:
            check_harmless(summarise([results]))
            ended["compared"] += check_comparison_harmless(undamaged, results)
        else:
            assert re.match(rf"{re.escape(str(file))}, line \d+: ", damage)
            assert len(damage) < len(str(file)) + 500
        ended["shown" if results else "refused"] += 1

    tried()
    print(f"{ended['refused']:,} files refused, {ended['shown']:,} shown, {ended['compared']:,} of them compared")
    assert min(ended["refused"], ended["shown"]) > examples / 20
    assert ended["compared"] > examples / 50


def loaded(file: Path) -> tuple[Results | None, str]:
    """What a results file holds, or what is said of its damage; no other exception is caught."""
    try:
        return load([file])[0], ""
    except DamagedResults as error:
        return None, str(error)


def check_harmless(summary: Summary) -> None:
    """Nothing that is made of a summary holds an element, an attribute or a control sequence of its data."""
    for name, html in render(summary):
        assert all(map(safe_relative, name.replace("~", "_").split("/"))), name
        Page(html)
    text = markdown(summary)
    assert "<" not in FOLDS.sub("", outside_of_fences(text))
    assert not obeyed(text)
    assert not obeyed(on_terminal(TerminalReport(summary)))
    for xml in (junit(summary), *map(picture, summary.backends)):
        assert not {TAG} & {element.tag for element in ElementTree.fromstring(xml).iter()}
        assert not [element for element in ElementTree.fromstring(xml).iter() if ATTRIBUTE in element.attrib]
    written = as_json(summary)
    assert not obeyed(written)
    validate_document(json.loads(written))
    for backend in summary.backends:
        assert not obeyed(json.dumps(endpoint(backend)))


def check_comparison_harmless(old: Results, new: Results) -> bool:
    """The same of what is made of a comparison; False if the two are not comparable."""
    try:
        comparison = compare(old, new)
    except NotComparable:
        return False
    text = comparison_markdown(comparison)
    assert f"<{TAG}" not in outside_of_fences(text)
    assert not obeyed(text)
    assert not obeyed(on_terminal(TerminalComparison(comparison)))
    return True


class Page(HTMLParser):
    """A page that is refused if anything in it comes from the data, or if a link leads out of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != TAG
        for name, value in attrs:
            assert name != ATTRIBUTE
            assert not name.startswith("on")
            if name in ("href", "src", "action"):
                parts = urlsplit(value or "")
                if parts.scheme == "https" and tag == "a":  # an address in prose is a link to where it says
                    continue
                assert (parts.scheme, parts.netloc) == ("", ""), value
                assert not parts.path.startswith("/"), value


def obeyed(text: str) -> list[str]:
    """The lines of this in which there is something that a terminal would obey."""
    return [line for line in text.split("\n") if not line.replace("\t", "").isprintable()]


def outside_of_fences(text: str) -> str:
    """Markdown without its blocks of plain text."""
    return re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)


def on_terminal(report: TerminalReport | TerminalComparison) -> str:
    out = StringIO()
    Console(file=out, width=100, force_terminal=False, color_system=None).print(report)
    return out.getvalue()
