"""The command ``rnn-conformance spec``: what the clauses say."""

from __future__ import annotations

import click

from rnn_conformance.conformance.commands.console import format_option, print_rows
from rnn_conformance.conformance.commands.errors import WrongUsage
from rnn_conformance.reference.spec import specification


@click.command()
@click.argument("clauses", nargs=-1, metavar="[CLAUSE]...")
@format_option
def spec(clauses: tuple[str, ...], form: str) -> None:
    """Print the specification, or the clauses and chapters named.

    \b
    rnn-conformance spec
    rnn-conformance spec 1.3 7
    """
    text = specification()
    try:
        numbers = text.select(list(clauses)) if clauses else list(text.clauses)
    except ValueError as error:
        raise WrongUsage(error) from None
    chosen = [text.clauses[number] for number in numbers]
    rows = [{"clause": c.number, "chapter": text.chapters[c.chapter], "text": c.text} for c in chosen]
    print_rows(rows, form)
