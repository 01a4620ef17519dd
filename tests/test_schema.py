"""The published JSON Schema is that of the dataclasses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import get_type_hints

import jsonschema
import pytest
from click.testing import CliRunner
from mutations import whole

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reports.documents import document
from rnn_conformance.reports.documents.schema import FILE, schema
from rnn_conformance.reports.records import records


def test_the_file_is_of_the_dataclasses() -> None:
    """After a change of a dataclass it is made anew, as schema.py says."""
    assert json.loads(FILE.read_text(encoding="utf-8")) == schema()


def test_it_is_a_schema() -> None:
    """Of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(schema())


def test_it_is_shipped_and_printed() -> None:
    """It lies in the package, and a command prints it."""
    assert files("rnn_conformance.reports.documents").joinpath("schema.json").is_file()
    result = CliRunner().invoke(cli, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == schema()


@pytest.mark.parametrize(
    "cls",
    [
        *(records.Header, records.CheckRecord, records.Footer, records.Worst, records.Fingerprint),
        *(document.Document, document.BackendSummary, document.ClauseSummary, document.Totals),
    ],
)
def test_every_field_is_there(cls: type) -> None:
    """And nothing but the fields, each with what its type allows."""
    definition = schema()["$defs"][cls.__name__]
    hints = get_type_hints(cls)
    assert set(definition["properties"]) - {"record"} == set(hints)
    assert definition["additionalProperties"] is False
    for name, kind in hints.items():
        words = {str: "string", int: "integer", bool: "boolean"}
        if kind in words:
            assert definition["properties"][name]["type"] == words[kind]


def test_a_type_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field of a new type is an error here, not a hole in the schema."""

    @dataclass(frozen=True)
    class Odd:
        """Odd."""

        field: complex

    monkeypatch.setitem(records.KINDS, "odd", Odd)  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        schema()


@pytest.mark.parametrize("line", whole(), ids=lambda line: line["record"])
def test_any_validator_takes_a_line(line: object) -> None:
    """A line is valid against the whole schema, as others would use it; with a field too many it is not."""
    validator = jsonschema.Draft202012Validator(schema())
    assert isinstance(line, dict)
    validator.validate(line)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**line, "more": 1})
