"""The command ``rnn-conformance schema``: what the results look like, for machines."""

from __future__ import annotations

import click

from rnn_conformance.reports.documents.schema import FILE


@click.command()
def schema() -> None:
    """Print the JSON Schema of results files and of what --format json prints.

    It is of JSON Schema 2020-12, and describes a line of a results file as well as the one document of a report.

    \b
    rnn-conformance schema > schema.json
    check-jsonschema --schemafile schema.json report.json
    """
    click.echo(FILE.read_text(encoding="utf-8"), nl=False)
