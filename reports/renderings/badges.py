"""A badge for each backend: a picture for a README, and the JSON that the badge service shields.io draws one from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from rnn_conformance.reports.overview.caveats import caveats
from rnn_conformance.reports.overview.sentence import sentence
from rnn_conformance.reports.overview.summary import Backend, Summary, exit_status
from rnn_conformance.reports.overview.verdicts import NOT_RUN
from rnn_conformance.reports.overview.wording import cell_in_words, count, others, phrase
from rnn_conformance.reports.records.harmless import file_name, shown
from rnn_conformance.reports.records.records import USUAL_CELL

FOLDER = "badges"

COLOURS = {0: "#2e7d32", 1: "#b3261e", 3: "#6a4fa3"}
"""By exit status; white on each is read with a contrast of at least 4.5 to 1. The message says all that they say."""

_LONGEST = 60  # characters of an adapter's name
_CHARACTER, _MARGIN, _HEIGHT = 6.2, 6, 20  # pixels


def write_badges(summary: Summary, folder: Path) -> Sequence[Path]:
    """Write ``badges/NAME.svg`` and ``badges/NAME.json`` into a folder, for each backend, and return their paths.

    Each cell of a backend has a badge of its own, such as ``badges/torch-lstm.svg``.

    Raises OSError where they cannot be written.
    """
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for backend in summary.backends:
        for ending, text in (("svg", picture(backend)), ("json", json.dumps(endpoint(backend), indent=2))):
            written.append(target / f"{file_name(backend.name)}.{ending}")
            written[-1].write_text(f"{text}\n", encoding="utf-8")
    return written


def endpoint(backend: Backend) -> dict[str, str | int]:
    """What a badge service asks of an endpoint, such as ``https://img.shields.io/endpoint?url=ADDRESS_OF_THIS``."""
    return {"schemaVersion": 1, "label": _label(backend), "message": message(backend), "color": _colour(backend)}


def message(backend: Backend) -> str:
    """The badge's right half, such as ``float32 72 of 85 clauses, 4 with known deviations; float64 70, 6 failing``.

    The dtype to show first says how many clauses conform, the others what does not; what qualifies it comes last.
    """
    parts = []
    for facet in backend.facets.values():
        verdicts = dict(facet.counts)
        conforms = verdicts.pop("conforms", 0)
        rest = [phrase(verdict, number) for verdict, number in verdicts.items() if verdict != NOT_RUN]
        if facet.dtype == backend.dtype:
            rest.insert(0, f"{conforms:,} of {count(facet.asked, 'clause')}")
        if facet.offered and rest:
            parts.append(f"{facet.dtype} {', '.join(rest)}")
    parts += filter(None, [others(backend)])
    return "; ".join([*(parts or ["no clause was checked"]), *(caveat.kind for caveat in caveats(backend))])


def picture(backend: Backend) -> str:
    """The badge as SVG. A screen reader says all of it; whoever points at it sees the backend's whole sentence."""
    left, right = _label(backend), message(backend)
    widths = [round(len(text) * _CHARACTER) + 2 * _MARGIN for text in (left, right)]
    size = {"width": str(sum(widths)), "height": str(_HEIGHT)}
    named = {"role": "img", "aria-label": f"{left}: {right}"}
    svg = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size, **named})
    SubElement(svg, "title").text = shown(f"{sentence(backend)}.")
    SubElement(svg, "rect", {**size, "rx": "3", "fill": _colour(backend)})
    SubElement(svg, "rect", {"width": str(widths[0]), "height": str(_HEIGHT), "rx": "3", "fill": "#444"})
    font = {"font-family": "Verdana, DejaVu Sans, sans-serif", "font-size": "11", "fill": "#fff"}
    texts = SubElement(svg, "g", {"aria-hidden": "true", **font})
    for text, start, width in ((left, 0, widths[0]), (right, widths[0], widths[1])):
        # Fonts differ in width: the text is stretched to the room that it was given.
        room = {"textLength": str(width - 2 * _MARGIN), "lengthAdjust": "spacingAndGlyphs"}
        SubElement(texts, "text", {"x": str(start + _MARGIN), "y": "14", **room}).text = text
    return ElementTree.tostring(svg, encoding="unicode")


def _label(backend: Backend) -> str:
    name = " ".join(shown(backend.results.header.adapter).split())
    cell = "RNN" if backend.cell == USUAL_CELL else " ".join(shown(cell_in_words(backend.cell)).split())[:_LONGEST]
    return f"{name if len(name) <= _LONGEST else name[:_LONGEST] + '…'} {cell} conformance"


def _colour(backend: Backend) -> str:
    return COLOURS[exit_status([backend.results])]
