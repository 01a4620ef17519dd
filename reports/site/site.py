"""The site: a matrix to begin with, a page for each backend and a page for each cell. All text from results is escaped.

A page needs neither a server nor a network, and says so itself in its content security policy: it loads the style sheet
and the script that lie beside it, and nothing else. These two are files of their own because a run has hundreds of
pages; the policy names ``file:`` for browsers to which two files of one folder are strangers.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rnn_conformance.reports.overview.arrays import axes, judged, matrices, shape
from rnn_conformance.reports.overview.beside import also, reach
from rnn_conformance.reports.overview.causes import alike, common_causes, kind_extent, of_one_kind, reasons_of
from rnn_conformance.reports.overview.caveats import caveats
from rnn_conformance.reports.overview.history import Timeline, largest, split
from rnn_conformance.reports.overview.ranges import ranges
from rnn_conformance.reports.overview.rows import told_of_rows
from rnn_conformance.reports.overview.sentence import sentence
from rnn_conformance.reports.overview.summary import Backend, Suite, Summary, summarise
from rnn_conformance.reports.overview.verdicts import MEANINGS, PROBLEMS, SEVERITY, SYMBOLS, gravest
from rnn_conformance.reports.overview.wording import (
    by_clause,
    cell_in_words,
    count,
    discriminating,
    figure,
    phrase,
    plain,
    refused,
    truncation,
)
from rnn_conformance.reports.pictures.all import pictures
from rnn_conformance.reports.pictures.history import timeline_picture
from rnn_conformance.reports.records.files import beside, place_in_site
from rnn_conformance.reports.records.harmless import file_name
from rnn_conformance.reports.records.records import CheckRecord, Results
from rnn_conformance.reports.renderings.atlas import COMPARED, atlas
from rnn_conformance.reports.site import filters
from rnn_conformance.reports.site.matrix import by_dtype, checks_by_clause, choices_of_cells, first_verdict, views
from rnn_conformance.reports.site.vanishing import story

ASSETS = {"site.css": ("site.css", "overview.css", "atlas.css"), "site.js": ("site.js", "matrix.js")}
"""What every page loads, written beside ``index.html``, and the files here that it is made of."""

_MARK = "<!-- rnn-conformance report -->"
_PAGES = ("atlas.html", "history.html", "vanishing.html", "backends/*.html", "cells/*/*.html", "others/*.html")
_LONG = 120  # numbers of a witness that are shown without being asked for
_LARGEST_SCRIPT = 100_000  # bytes that are shown on a page


def write_site(results: Sequence[Results], folder: Path, reader: Suite | None = None) -> Path:
    """Write a site into a folder, which is made where it is missing, and return the path of its ``index.html``.

    Of an adapter that comes at several versions the newest is shown, and all of them in ``history.html``. Pages that an
    earlier report left there are removed. `reader` is the suite that tells of the results, if that matters. Raises
    ValueError for results that cannot be shown together (see `summarise`) and OSError where it cannot write.
    """
    newest, timelines = split(results, reader)
    summary = summarise(newest, reader)
    pages = dict(render(summary, folder, timelines))
    folder.mkdir(parents=True, exist_ok=True)
    _remove_pages(folder)
    write_pages(pages, folder)
    _copy_evidence(summary, folder)
    return folder / "index.html"


def write_pages(pages: Mapping[str, str], folder: Path) -> None:
    """Write pages by their names into a folder, which is made if need be, and what every page loads beside them."""
    here = Path(__file__).parent
    for asset, parts in ASSETS.items():
        _write(folder / asset, "\n".join(here.joinpath(part).read_text(encoding="utf-8") for part in parts))
    for name, html in pages.items():
        _write(folder / name, html)


def render(summary: Summary, folder: Path = Path(), timelines: Sequence[Timeline] = ()) -> Iterator[tuple[str, str]]:
    """Each page of a site, and each picture that is a file, with its path; the same summary gives the same text."""
    told = story(summary)
    common = {"summary": summary, "timelines": timelines, "story": told}

    def page(name: str, template: str, **values: object) -> tuple[str, str]:
        values |= {"root": "../" * name.count("/"), "evidence": Evidence(folder)}
        return name, site_environment().get_template(template).render(common, **values)

    yield page(
        "index.html",
        "index.html",
        pictures=pictures(summary),
        kinds=choices_of_cells(summary),
        causes=common_causes(summary.backends),
        views=(ways := views(summary)),
        verdicts=[verdict for verdict in SEVERITY if any(verdict in view.totals(summary.backends) for view in ways)],
        checks=checks_by_clause(summary),
    )
    yield page("atlas.html", "atlas.html", sections=atlas(summary), compared=COMPARED)
    if told:
        yield page("vanishing.html", "vanishing.html")
    if timelines:
        drawn = [timeline_picture(each) for each in timelines]
        yield page("history.html", "history.html", pictures=drawn)
        yield from ((f"{picture.name}.svg", picture.svg) for picture in drawn)
    for backend in summary.backends:
        yield page(backend_page(backend.name), "backend.html", backend=backend, causes=common_causes([backend]))
        for clause, before, after in _neighbours(list(summary.clauses)):
            name = cell_page(backend.name, clause)
            cell = backend.cells[clause]
            yield page(name, "cell.html", backend=backend, clause=clause, cell=cell, before=before, after=after)
        if backend.others.records:
            yield page(others_page(backend.name), "others.html", backend=backend)


@functools.cache
def site_environment() -> Environment:
    """The templates of this folder with their filters: text is escaped, and a name that is not there is an error."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "as_table": filters.as_table,
        "cell": filters.cell,
        "cell_in_words": cell_in_words,
        "figure": figure,
        "file_name": file_name,
        "matrices": matrices,
        "moment": filters.moment,
        "plain": plain,
        "prose": filters.prose,
        "ranges": ranges,
        "run_of": filters.run_of,
        "said": filters.said,
        "sentence": sentence,
        "shape": shape,
        "truncation": truncation,
    }
    environment.globals |= {
        "alike": alike,
        "axes": axes,
        "by_clause": by_clause,
        "by_dtype": by_dtype,
        "caveats": caveats,
        "backend_page": backend_page,
        "cell_page": cell_page,
        "count": count,
        "discriminating": discriminating,
        "first_verdict": first_verdict,
        "gravest": gravest,
        "is_long": is_long,
        "kind_extent": kind_extent,
        "largest": largest,
        "judged": judged,
        "mark": Markup(_MARK),
        "meanings": MEANINGS,
        "of_one_kind": of_one_kind,
        "others_page": others_page,
        "phrase": phrase,
        "place": filters.place,
        "problems": PROBLEMS,
        "reasons_of": reasons_of,
        "told_of_rows": told_of_rows,
        "also": also,
        "reach": reach,
        "refused": refused,
        "symbols": SYMBOLS,
    }
    return environment


def backend_page(backend: str) -> str:
    """Where the page of a backend lies in the site."""
    return f"backends/{file_name(backend)}.html"


def cell_page(backend: str, clause: str) -> str:
    """Where the page of a cell lies in the site."""
    return f"cells/{file_name(backend)}/{file_name(clause)}.html"


def others_page(backend: str) -> str:
    """Where the page of a backend's checks that cite no clause lies in the site."""
    return f"others/{file_name(backend)}.html"


class Evidence:
    """The files beside the results, for the pages of the site in this folder."""

    def __init__(self, site: Path) -> None:
        self.site = site

    def address(self, backend: Backend, file: str) -> str:
        """Where in the site a file is that a record names; empty if it is not shown."""
        return quote(place_in_site(self.site, backend.name, backend.results.path, file))

    def script(self, backend: Backend, file: str) -> str:
        """The text of such a file; empty if it cannot be shown."""
        path = beside(backend.results.path, file)
        if path is None or path.stat().st_size > _LARGEST_SCRIPT:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")


def _copy_evidence(summary: Summary, folder: Path) -> None:
    """Copy the files that records name into the site, those that are not there anyway."""
    for backend in summary.backends:
        results = backend.results.path
        for file in {
            file for record in backend.results.checks for file in (record.witness_file, record.reproducer_file)
        }:
            path, place = beside(results, file), place_in_site(folder, backend.name, results, file)
            if path is not None and path != (target := folder.resolve() / place):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def is_long(record: CheckRecord) -> bool:
    """Whether a witness is better folded."""
    numbers = sum(len(row) for value in record.witness.values() for each in matrices(value) for row in each.rows)
    return numbers > _LONG


def _neighbours(items: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Each item with the one before it and the one after it; empty at the ends."""
    yield from zip(items, ["", *items], [*items[1:], ""], strict=False)


def _remove_pages(folder: Path) -> None:
    """Remove the pages that an earlier report wrote, and no other file: they would show what is no longer so."""
    for pattern in _PAGES:
        for path in sorted(folder.glob(pattern)):
            if _MARK in path.read_text(encoding="utf-8", errors="replace")[:200]:
                path.unlink()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
