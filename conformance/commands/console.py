"""What the commands share: options of what to check, where and for how long, the option --format, and tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from rich.console import Console

from rnn_conformance.adapters.description import DTYPES
from rnn_conformance.conformance.commands.output import echo_utf8
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reports.records.records import USUAL_CELL
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


def seed_option(command: F) -> F:
    """The option --seed."""
    return click.option(
        "--seed",
        type=click.IntRange(0, 2**63 - 1),  # the integers that results hold
        default=0,
        metavar="INTEGER",
        show_default=True,
        help="Changes shapes and numbers.",
    )(command)


def selection_options(command: F) -> F:
    """What to check: the options --cell, --only, --check and --dtype, as `cells`, `only`, `checks` and `dtypes`."""
    for option in (
        click.option("--dtype", "dtypes", multiple=True, type=click.Choice(DTYPES), help="Check in this dtype only."),
        click.option(
            "--check", "checks", multiple=True, metavar="NAME", help="Run this check only, such as test_recurrence."
        ),
        click.option("--only", multiple=True, metavar="CLAUSE", help="Check this clause (1.3) or chapter (1) only."),
        click.option(
            "--cell",
            "cells",
            multiple=True,
            type=click.Choice(list(CELLS)),
            default=[USUAL_CELL],
            show_default=True,
            help="A kind of cell to check. Repeatable: each has results of its own, such as torch-lstm.jsonl.",
        ),
    ):
        command = option(command)
    return command


def engine_options(of: str) -> Callable[[F], F]:
    """The options --engine and --parts of what is cut into parts, as `engine_asked` ("" for none) and `parts`."""

    def add(command: F) -> F:
        for option in (
            click.option(
                "--parts",
                type=click.IntRange(1),
                default=8,
                show_default=True,
                help=f"With --engine: into how many parts {of} is cut, at most.",
            ),
            click.option(
                "--engine",
                "engine_asked",
                default="",
                metavar="ENGINE",
                help="Run in parts, each in an environment made like this one: local, dask, dask:tcp://HOST:8786, ray, "
                "slurm:partition=NAME (see docs/sweeping.md).  [default: here, in one piece]",
            ),
        ):
            command = option(command)
        return command

    return add


def timeout_option(command: F) -> F:
    """The option --timeout, in seconds."""
    return click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=300,
        show_default=True,
        metavar="SECONDS",
        help="Kill a framework that does not return for so long from one example of a check.",
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
