"""What a sweep found as Markdown and as JSON: a table of releases and chapters, and what each release changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rnn_conformance.reports.overview.verdicts import SYMBOLS
from rnn_conformance.reports.renderings.comparison_markdown import comparison_markdown
from rnn_conformance.reports.renderings.markdown import escape
from rnn_conformance.reports.upgrades.releases import MARKS, Row, Timeline


def releases_markdown(timelines: Sequence[Timeline]) -> str:
    """A section for each backend and kind of cell: the table, what changed and by what cause, and what was left out."""
    return "\n".join(line for each in timelines for line in _section(each)) + "\n"


def releases_json(timelines: Sequence[Timeline]) -> str:
    """The same as one JSON document."""
    return json.dumps([_as_json(each) for each in timelines], indent=2, allow_nan=False) + "\n"


def _section(timeline: Timeline) -> Iterator[str]:
    yield f"## {escape(timeline.name)}"
    yield ""
    yield f"{escape(timeline.sentence)}."
    yield ""
    yield f"| release | day | {' | '.join(map(escape, timeline.chapters))} | what changed |"
    yield f"|---|---|{'---|' * len(timeline.chapters)}---|"
    for row in timeline.rows:
        cells = [_cell(row, chapter) for chapter in timeline.chapters]
        yield f"| {escape(str(row.tried))} | {escape(row.tried.day)} | {' | '.join(cells)} | {escape(row.outcome)} |"
    yield ""
    legend = ", ".join(f"{mark} {kind}" for kind, mark in MARKS.items())
    yield f"A letter says that something changed with this release: {legend}."
    for row in timeline.rows:
        if row.comparison and row.comparison.changes:
            yield ""
            yield f"### {escape(str(row.tried))}, after {escape(str(row.before))}"
            yield ""
            yield comparison_markdown(row.comparison).rstrip()
        elif row.tried.results is None:
            yield ""
            yield f"### {escape(str(row.tried))}: skipped"
            yield ""
            yield from (f"> {escape(line)}" for line in row.tried.why.splitlines())
    if timeline.left_out:
        yield ""
        yield "<details><summary>Releases that were left out</summary>"
        yield ""
        yield from (f"- {escape(release)}: {escape(reason)}" for release, reason in timeline.left_out.items())
        yield ""
        yield "</details>"
    yield ""


def _cell(row: Row, chapter: str) -> str:
    marks = "".join(MARKS[kind] for kind in row.kinds(chapter))
    return f"{SYMBOLS[row.chapters[chapter]]} {marks}".strip() if chapter in row.chapters else ""


def _as_json(timeline: Timeline) -> dict[str, object]:
    rows = [
        {
            "package": row.tried.package,
            "version": row.tried.version,
            "day": row.tried.day,
            "versions": dict(row.tried.results.header.versions) if row.tried.results else {},
            "skipped": row.tried.why,
            "before": str(row.before or ""),
            "outcome": row.outcome,
            "refused": row.refused,
            "chapters": dict(row.chapters),
            "comparison": asdict(row.comparison) if row.comparison else None,
        }
        for row in timeline.rows
    ]
    return {
        "name": timeline.name,
        "sentence": timeline.sentence,
        "chapters": dict(timeline.chapters),
        "rows": rows,
        "left_out": dict(timeline.left_out),
    }
