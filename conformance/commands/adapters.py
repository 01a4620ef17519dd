"""The command ``rnn-conformance adapters``: who can be checked, and how to install what is missing."""

from __future__ import annotations

from collections.abc import Mapping

import click

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.pipe.manifest import is_manifest
from rnn_conformance.conformance.commands.console import format_option, print_rows
from rnn_conformance.conformance.commands.errors import WrongUsage


@click.command()
@click.argument("names", nargs=-1, metavar="[ADAPTER]...")
@format_option
def adapters(names: tuple[str, ...], form: str) -> None:
    """List the registered adapters, and how to install what is missing.

    With names of adapters, or manifests of programs, these alone.

    \b
    rnn-conformance adapters
    rnn-conformance adapters torch ./my-backend.toml
    """
    try:
        found = [_named(name) for name in names] or list(registry.registered().values())
    except ValueError as error:
        raise WrongUsage(error) from None
    rows = [
        {
            "adapter": adapter.name,
            "installed": not adapter.missing,
            "missing": ", ".join(adapter.missing),
            "too old": "" if adapter.missing else adapter.too_old,
            "install": adapter.how_to_install if adapter.missing or adapter.too_old else "",
            "target": adapter.target,
        }
        for adapter in found
    ]
    if form != "pretty":
        print_rows(rows, form)
        return
    for row in rows:  # no table, which would have to cut or fold the command in a narrow terminal
        click.echo(f"{row['adapter']}: {_state(row)}")
        if row["install"]:
            click.echo(f"  {row['install']}")


def _named(name: str) -> registry.Registered:
    """What is known of an adapter. Raises ValueError for a wrong name, and for a manifest that cannot be read."""
    if is_manifest(name):
        return registry.of_program(name)
    target = registry.resolve(name)
    return registry.registered().get(name) or registry.Registered(name, target, ())


def _state(row: Mapping[str, object]) -> object:
    """Whether an adapter can be run, and why not."""
    return f"needs {row['missing']}" if row["missing"] else row["too old"] or "installed"
