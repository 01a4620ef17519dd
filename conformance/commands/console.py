"""What the commands share: the options --format and --timeout, and tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from rich.console import Console

from rnn_conformance.conformance.commands.output import echo_utf8
from rnn_conformance.reports.renderings.table import WholeTable

F = TypeVar("F", bound=Callable[..., Any])


def format_option(command: F) -> F:
    """The option --format, as the argument `form`: pretty, markdown or json."""
    return _format_option("pretty", "markdown", "json")(command)


def report_format_option(command: F) -> F:
    """The option --format of what makes a report, as the argument `form`: pretty, markdown, json or junit."""
    return _format_option("pretty", "markdown", "json", "junit")(command)


def _format_option(*forms: str) -> Callable[[F], F]:
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="How to print the result.",
    )


def timeout_option(command: F) -> F:
    """The option --timeout, in seconds."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=300,
        show_default=True,
        metavar="SECONDS",
        help="Kill a framework that does not return for so long in one check, or in one seed of it in a soak.",
    )(command)


def print_rows(rows: Sequence[dict[str, Any]], form: str) -> None:
    """Print rows of the same names as a table, as Markdown or as JSON."""
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
    elif form == "markdown":
        echo_utf8("| " + " | ".join(rows[0]) + " |\n|" + " --- |" * len(rows[0]))
        for row in rows:
            echo_utf8("| " + " | ".join(_word(value).replace("|", "\\|") for value in row.values()) + " |")
    else:
        Console().print(WholeTable(list(rows[0]), [[_word(value) for value in row.values()] for row in rows]))


def _word(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
