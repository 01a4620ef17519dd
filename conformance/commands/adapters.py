"""The command ``rnn-conformance adapters``: who can be checked, and how to install what is missing."""

from __future__ import annotations

from collections.abc import Mapping

import click

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.commands.console import format_option, print_rows


@click.command()
@format_option
def adapters(form: str) -> None:
    """List the registered adapters, and how to install what is missing."""
    rows = [
        {
            "adapter": adapter.name,
            "installed": not adapter.missing,
            "missing": ", ".join(adapter.missing),
            "too old": "" if adapter.missing else adapter.too_old,
            "install": adapter.how_to_install if adapter.missing or adapter.too_old else "",
            "target": adapter.target,
        }
        for adapter in registry.registered().values()
    ]
    if form != "pretty":
        print_rows(rows, form)
        return
    for row in rows:  # no table, which would have to cut or fold the command in a narrow terminal
        click.echo(f"{row['adapter']}: {_state(row)}")
        if row["install"]:
            click.echo(f"  {row['install']}")


def _state(row: Mapping[str, object]) -> object:
    """Whether an adapter can be run, and why not."""
    return f"needs {row['missing']}" if row["missing"] else row["too old"] or "installed"
