"""The command ``rnn-conformance atlas``: where each framework keeps its weights, as its adapter declares."""

from __future__ import annotations

import dataclasses
import json

import click

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.commands.errors import WrongUsage
from rnn_conformance.conformance.commands.installed import check_installed
from rnn_conformance.conformance.commands.output import echo_utf8
from rnn_conformance.conformance.running.declarations import declared
from rnn_conformance.reports.overview.summary import summarise
from rnn_conformance.reports.renderings.atlas import atlas as sections
from rnn_conformance.reports.renderings.atlas import atlas_markdown


@click.command()
@click.argument("adapters", nargs=-1, metavar="[ADAPTER]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
    help="How to print it.",
)
def atlas(adapters: tuple[str, ...], form: str) -> None:
    """Print where W, U and b are kept in each framework, and how to load and read them, with a script for each.

    With no ADAPTER, every one whose framework is installed is asked. Nothing is checked: the atlas of a report
    (atlas.html) also says what the checks found.

    \b
    rnn-conformance atlas
    rnn-conformance atlas keras-jax torch > atlas.md
    """
    try:
        for adapter in adapters:
            check_installed(adapter)
        chosen = adapters or sorted(a.name for a in registry.registered().values() if not a.missing)
        summary = summarise(declared(list(dict.fromkeys(chosen))))
    except ValueError as error:
        raise WrongUsage(error) from None
    if form == "json":
        click.echo(json.dumps([dataclasses.asdict(section) for section in sections(summary)], indent=2))
    else:
        echo_utf8(atlas_markdown(summary).rstrip("\n"))
