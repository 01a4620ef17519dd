"""The command ``rnn-conformance atlas``: where each framework keeps its weights, and how they get to another one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import click

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.porting.ends import pair
from rnn_conformance.adapters.porting.page import TITLES, markdown, port
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
    "--cell",
    "cells",
    multiple=True,
    type=click.Choice(list(TITLES)),
    help="How a layer of this cell gets from the first of two frameworks to the second. Can be repeated.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
    help="How to print it.",
)
def atlas(adapters: tuple[str, ...], cells: tuple[str, ...], form: str) -> None:
    """Print where W, U and b are kept in each framework, and how to load and read them, with a script for each.

    With no ADAPTER, every one whose framework is installed is asked. Nothing is checked: the atlas of a report
    (atlas.html) also says what the checks found.

    With --cell, name two of torch, keras, flax-nnx and flax-linen: what becomes of the weights of such a layer on the
    way from the first to the second, what cannot be carried, and a script that does it. Neither has to be installed.

    \b
    rnn-conformance atlas
    rnn-conformance atlas keras-jax torch > atlas.md
    rnn-conformance atlas torch keras --cell lstm
    """
    if cells:
        _tell_port(adapters, list(dict.fromkeys(cells)), form)
        return
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


def _tell_port(frameworks: Sequence[str], cells: Sequence[str], form: str) -> None:
    if len(frameworks) != 2:
        raise WrongUsage(
            "--cell is about the way from one framework to another: name two, such as "
            f"rnn-conformance atlas torch keras --cell {cells[0]}"
        )
    try:
        source, target = pair(*frameworks)
    except ValueError as error:
        raise WrongUsage(error) from None
    if form == "json":
        click.echo(json.dumps([port(cell, source, target) for cell in cells], indent=2))
    else:
        echo_utf8(markdown(cells, source, target).rstrip("\n"))
