"""The summary as one HTML file, which needs neither a server nor a network. All that comes from results is escaped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from rnn_conformance.reports.arrays import aligned, shape
from rnn_conformance.reports.records import CheckRecord, Results
from rnn_conformance.reports.summary import (
    MEANINGS,
    SYMBOLS,
    Summary,
    count,
    figure,
    sentence,
    summarise,
    title,
    truncation,
)

_LONG = 24  # lines of a witness that are shown without being asked for


def write_page(results: Sequence[Results], folder: Path) -> Path:
    """Write ``index.html`` into a folder, which is made where it is missing, and return its path.

    Raises ValueError for results that cannot be shown together (see `summarise`) and OSError where it cannot write.
    """
    html = render(summarise(results))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(html, encoding="utf-8", errors="replace")
    return path


def render(summary: Summary) -> str:
    """The page's HTML; the same summary gives the same text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "aligned": aligned,
        "anchor": anchor,
        "code_spans": code_spans,
        "figure": figure,
        "plain": plain,
        "sentence": sentence,
        "shape": shape,
        "title_of": title,
        "truncation": truncation,
    }
    template = environment.get_template("page.html")
    return template.render(
        summary=summary,
        count=count,
        symbols=SYMBOLS,
        meanings=MEANINGS,
        is_long=is_long,
    )


def anchor(*parts: str) -> str:
    """An id that is also its own link, and no other parts' id."""
    return "/".join(quote(part, safe="") for part in ("backend", *parts))


def code_spans(text: str) -> Markup:
    """A clause with its `code` set as such, and everything else escaped."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its pair
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if i % 2 else escape(piece) for i, piece in enumerate(pieces)
    )


def plain(value: Any) -> str:
    """Something that an adapter declares, as text: words as they are, lists with commas, the rest as JSON."""
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def is_long(record: CheckRecord) -> bool:
    """Whether a witness is better folded."""
    return sum(aligned(value).count("\n") + 1 for value in record.witness.values()) > _LONG
