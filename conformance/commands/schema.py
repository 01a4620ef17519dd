"""The command ``rnn-conformance schema``: what the files and frames of this suite look like, for machines."""

from __future__ import annotations

import click

from rnn_conformance.adapters.pipe import frames
from rnn_conformance.conformance.vectors import writing
from rnn_conformance.reports.documents.schema import FILE

_SCHEMAS = {"results": FILE, "process": frames.SCHEMA, "vectors": writing.SCHEMA}


@click.command()
@click.argument("of", type=click.Choice(list(_SCHEMAS)), default="results")
def schema(of: str) -> None:
    """Print a JSON Schema, of JSON Schema 2020-12.

    \b
    results   a line of a results file, and what --format json prints (the default)
    process   the header of a frame, which a program in another language reads and writes (docs/process.md)
    vectors   a case of `rnn-conformance vectors`

    \b
    rnn-conformance schema > schema.json
    check-jsonschema --schemafile schema.json report.json
    rnn-conformance schema process > frames.json
    """
    click.echo(_SCHEMAS[of].read_text(encoding="utf-8"), nl=False)
