"""The page of a sweep, ``index.html``, with a picture of each backend and kind of cell as a file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rnn_conformance.reports.overview.summary import summarise
from rnn_conformance.reports.pictures.releases import releases_picture
from rnn_conformance.reports.site.site import site_environment, write_pages
from rnn_conformance.reports.upgrades.causes import extent
from rnn_conformance.reports.upgrades.change import KINDS, grouped, subjects
from rnn_conformance.reports.upgrades.releases import MARKS, Timeline


def write_releases(timelines: Sequence[Timeline], folder: Path) -> Path:
    """Write the page of a sweep, in which something could be run, and its pictures. Returns the path of the page."""
    pictures = [releases_picture(each) for each in timelines]
    newest = [[row.tried.results for row in each.rows if row.tried.results][-1:] for each in timelines]
    page = (
        site_environment()
        .get_template("releases.html")
        .render(
            timelines=timelines,
            pictures=pictures,
            summary=summarise([results for those in newest for results in those]),
            root="",
            kinds=KINDS,
            marks=MARKS,
            grouped=grouped,
            subjects=subjects,
            extent=extent,
        )
    )
    write_pages({"index.html": page, **{f"{each.name}.svg": each.svg for each in pictures}}, folder)
    return folder / "index.html"
