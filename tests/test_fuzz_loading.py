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
from mutations import ATTRIBUTE, TAG, damaged
from rich.console import Console

from rnn_conformance.reports.badges import endpoint, picture
from rnn_conformance.reports.document import as_json
from rnn_conformance.reports.harmless import safe_relative
from rnn_conformance.reports.junit import junit
from rnn_conformance.reports.loading import load, validate_document
from rnn_conformance.reports.markdown import markdown
from rnn_conformance.reports.records import DamagedResults
from rnn_conformance.reports.site import render
from rnn_conformance.reports.summary import Summary, summarise
from rnn_conformance.reports.terminal import TerminalReport


def test_no_file_does_harm(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """A file is refused with its name, and the line where there is damage; or all that is made of it is harmless."""
    examples = pytestconfig.getoption("--fuzz-examples")
    file = tmp_path / "fuzzed.jsonl"
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
        summary, damage = loaded(file)
        if summary:
            check_harmless(summary)
        else:
            assert re.match(rf"{re.escape(str(file))}, line \d+: ", damage)
            assert len(damage) < len(str(file)) + 500
        ended["shown" if summary else "refused"] += 1

    tried()
    print(f"{sum(ended.values()):,} files: {ended['refused']:,} refused, {ended['shown']:,} shown")
    assert min(ended["refused"], ended["shown"]) > examples / 10


def loaded(file: Path) -> tuple[Summary | None, str]:
    """The summary of a results file, or what is said of its damage; no other exception is caught."""
    try:
        return summarise(load([file])), ""
    except DamagedResults as error:
        return None, str(error)


def check_harmless(summary: Summary) -> None:
    """Nothing that is made of a summary holds an element, an attribute or a control sequence of its data."""
    for name, html in render(summary):
        assert all(map(safe_relative, name.replace("~", "_").split("/"))), name
        Page(html)
    text = markdown(summary)
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "<" not in outside
    assert printable(text)
    assert printable(on_terminal(summary))
    for xml in (junit(summary), *map(picture, summary.backends)):
        assert not {TAG} & {element.tag for element in ElementTree.fromstring(xml).iter()}
        assert not [element for element in ElementTree.fromstring(xml).iter() if ATTRIBUTE in element.attrib]
    written = as_json(summary)
    assert printable(written)
    validate_document(json.loads(written))
    for backend in summary.backends:
        assert printable(json.dumps(endpoint(backend)))


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


def printable(text: str) -> bool:
    """Whether a terminal obeys nothing of this."""
    return all(c.isprintable() or c in "\n\t" for c in text)


def on_terminal(summary: Summary) -> str:
    out = StringIO()
    Console(file=out, width=100, force_terminal=False, color_system=None).print(TerminalReport(summary))
    return out.getvalue()
