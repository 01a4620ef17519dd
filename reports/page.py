"""The summary as one HTML file, which needs neither a server nor a network. All that comes from results is escaped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
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
    Backend,
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
    html = render(summarise(results), folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(html, encoding="utf-8", errors="replace")
    return path


def render(summary: Summary, folder: Path = Path()) -> str:
    """The HTML of a page in this folder; the same summary gives the same text."""

    def beside(backend: Backend, file: str) -> str:
        """The link to a file beside the results of a backend."""
        return quote(Path(os.path.relpath(backend.results.path.parent / file, folder)).as_posix())

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
        "beside": beside,
        "as_table": as_table,
        "cell": cell,
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


def as_table(value: Any) -> tuple[Sequence[str], Sequence[Sequence[Any]]] | None:
    """The header and rows of figures that are rows of the same names, or columns of one length; None of others."""
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        names = list(value[0])
        return (names, [[row[name] for name in names] for row in value]) if _alike(map(set, value)) else None
    if not isinstance(value, dict) or not value:
        return None
    if all(isinstance(column, list) for column in value.values()) and _alike(map(len, value.values())):
        return list(value), list(zip(*value.values(), strict=True))
    return ["", ""], list(value.items())


def _alike(values: Iterable[Any]) -> bool:
    first, *others = values
    return all(other == first for other in others)


def cell(value: Any) -> str:
    """A figure to four digits, and anything else as text."""
    return f"{value:.4g}" if isinstance(value, float) else plain(value)


def is_long(record: CheckRecord) -> bool:
    """Whether a witness is better folded."""
    return sum(aligned(value).count("\n") + 1 for value in record.witness.values()) > _LONG
