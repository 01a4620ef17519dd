"""The JSON Schema of a line of a results file and of the document, made from their dataclasses; kept in schema.json.

After a change of the dataclasses:
``python -m rnn_conformance.reports.documents.schema > reports/documents/schema.json``.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from rnn_conformance.reports.documents.document import DOCUMENT, STATUSES, BackendSummary, ClauseSummary, Document
from rnn_conformance.reports.overview.verdicts import MEANINGS
from rnn_conformance.reports.records.parts import Row
from rnn_conformance.reports.records.records import KINDS, NOT_FINITE, SCHEMA, SHARE, VERDICTS, CheckRecord, Header

FILE = Path(__file__).with_name("schema.json")

_SCALARS: Mapping[Any, Mapping[str, Any]] = {
    Any: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "string"], "pattern": f"^({'|'.join(NOT_FINITE)})$"},  # a pattern is for strings only
}

_NARROWER: Mapping[tuple[type, str], Mapping[str, Any]] = {
    (Header, "schema"): {"const": SCHEMA},
    (CheckRecord, "verdict"): {"enum": list(VERDICTS)},
    (CheckRecord, "shares"): {"propertyNames": {"pattern": f"^({SHARE})$"}},
    (Row, "outcome"): {"enum": list(VERDICTS)},
    (ClauseSummary, "verdict"): {"enum": list(MEANINGS)},
    (ClauseSummary, "by_dtype"): {"additionalProperties": {"enum": list(MEANINGS)}},
    (BackendSummary, "status"): {"enum": list(STATUSES)},
    (Document, "status"): {"enum": list(STATUSES)},
    (Document, "document"): {"const": DOCUMENT},
}
"""What a type does not say of a field."""


def schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) of the document, and of a line of a results file, which is told by its field `record`."""
    definitions: dict[str, Any] = {}
    lines = [
        {
            "if": {"properties": {"record": {"const": kind}}},
            "then": {"$ref": _definition(cls, definitions, record={"const": kind})},
        }
        for kind, cls in KINDS.items()
    ]
    _definition(Document, definitions)
    line = {
        "description": "One line of a results file: first a header, then a check a line, at the end a footer.",
        "type": "object",
        "required": ["record"],
        "properties": {"record": {"enum": list(KINDS)}},
        "allOf": lines,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:rnn-conformance:results:{SCHEMA}",
        "title": "RNN Conformance: results and reports",
        "description": "A line of a results file (*.jsonl), or what `rnn-conformance report --format json` prints.",
        "type": "object",
        "if": {"required": ["record"]},
        "then": {"$ref": "#/$defs/Line"},
        "else": {"$ref": "#/$defs/Document"},
        "$defs": {"Line": line, **definitions},
    }


def _definition(cls: type, definitions: dict[str, Any], **more: Mapping[str, Any]) -> str:
    """The reference to a dataclass's definition, which is put among the others if it is not there."""
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}  # in its place before those that it refers to
        types = get_type_hints(cls)
        written = fields(cls)
        definitions[cls.__name__] = {
            "description": inspect.cleandoc(cls.__doc__ or ""),
            "type": "object",
            "properties": more
            | {f.name: {**_of(types[f.name], definitions), **_NARROWER.get((cls, f.name), {})} for f in written},
            # What says which form this is has a default, but is always written.
            "required": [
                f.name
                for f in written
                if f.default is f.default_factory is MISSING or "const" in _NARROWER.get((cls, f.name), {})
            ],
            "additionalProperties": False,
        }
    return f"#/$defs/{cls.__name__}"


def _of(kind: Any, definitions: dict[str, Any]) -> Mapping[str, Any]:
    """The schema of a type that a field is declared with."""
    base = get_origin(kind) or kind
    if base is UnionType:
        (inner, _) = get_args(kind)
        return {"anyOf": [_of(inner, definitions), {"type": "null"}]}
    if base is Mapping:
        return {"type": "object", "additionalProperties": _of(get_args(kind)[1], definitions)}
    if base is Sequence:
        return {"type": "array", "items": _of(get_args(kind)[0], definitions)}
    if isinstance(kind, type) and is_dataclass(kind):
        return {"$ref": _definition(kind, definitions)}
    return _SCALARS[kind]


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
