"""What the templates of the site do with values: as prose, as a table, as a figure. Whatever is text is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup, escape

from rnn_conformance.reports.overview.wording import plain
from rnn_conformance.reports.records.records import CheckRecord

_ADDRESS = re.compile(r"(https://[\w.~/#?=&%+-]*[\w/])")


def prose(text: str) -> Markup:
    """A text with its `code` set as such and its addresses as links that say where they lead; all else is escaped."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its pair
        return _with_links(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if i % 2 else _with_links(piece) for i, piece in enumerate(pieces)
    )


def _with_links(text: str) -> Markup:
    return Markup("").join(
        Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(piece) if i % 2 else escape(piece)
        for i, piece in enumerate(_ADDRESS.split(text))
    )


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


def place(where: str, case: str) -> str:
    """The place of an error in words, such as ``layer 0, sequence 1, timestep 3, unit 2``; empty where that is unsure.

    The outputs of a model are those of its last layer. Those of a backward layer may stand in the order of processing,
    where an index is no timestep.
    """
    if found := re.fullmatch(r"final_state\[(\d+)\]\[(\d+), (\d+)\]", where):
        return "layer {}, sequence {}, unit {}".format(*found.groups())
    found = re.fullmatch(r"outputs\[(\d+), (\d+), (\d+)\]", where)
    layers = len(re.findall(r"\w\(\d+ -> \d+", case))
    if found and layers and "backward" not in case:
        return "layer {}, sequence {}, timestep {}, unit {}".format(layers - 1, *found.groups())
    return ""


def said(record: CheckRecord) -> str:
    """The message of a record, without the diagnosis that a run puts at its end."""
    return record.message.removesuffix(f" — {record.diagnosis}") if record.diagnosis else record.message


def run_of(record: CheckRecord) -> str:
    """The dtype and mode of a record, such as ``float32, eager``."""
    return ", ".join(filter(None, (record.dtype, record.mode)))


def moment(started: str) -> str:
    """When a run began, to the minute: ``2026-11-28 09:30 UTC``; as it is if it is no such time."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::[\d.]+)?Z", started)
    return "{} {} UTC".format(*found.groups()) if found else started or "time not recorded"
