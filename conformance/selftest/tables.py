"""How what the selftest measured is printed: a table of mutants, or of promises, on the terminal or as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console

from rnn_conformance.conformance.checks.catalogue import checks
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.selftest.measured import Measured
from rnn_conformance.conformance.selftest.promises import PROMISES, promise_of, promises_of
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.renderings.table import WholeTable

_SHOWN = 4
"""Where a failure is like more mutants than this, the others are only counted."""


@dataclass(frozen=True)
class Printed:
    """A table, with what it comes to in a sentence; a row is marked if its first cell is among `marked`."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    last: str
    marked: frozenset[str] = frozenset()


def show(what: str, measured: Measured, form: str, *, every: bool = False) -> None:
    """Print what was measured as "json", "markdown" or "pretty"; `every` names all checks that noticed a mutant."""
    if form == "json":
        click.echo(json.dumps(measured, indent=1))
        return
    table = {"detection": _detection, "diagnosis": _diagnosis, "promises": _promises}[what](measured, every)
    if form == "markdown":
        click.echo("| " + " | ".join(table.heads) + " |\n|" + " --- |" * len(table.heads))
        for cells in table.rows:
            click.echo("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        click.echo(f"\n{table.last}")
        return
    console = Console()
    console.print(WholeTable(table.heads, table.rows, table.marked))
    console.print(table.last)


def _detection(measured: Measured, every: bool) -> Printed:
    last = (
        f"{measured['killed']} of {measured['of']} mutants noticed with each of {len(measured['seeds'])} seeds, "
        f"profile {measured['profile']}"
    )
    heads = ("mutant", "cell", "fault", "noticed", "clause", "check", "examples", "seconds")
    survivors = frozenset(row["mutant"] for row in measured["mutants"] if row["survives"])
    return Printed(heads, [_noticed(row, every) for row in measured["mutants"]], last, survivors)


def _noticed(row: Mapping[str, Any], every: bool) -> list[str]:
    """One line of the table. With `every`, all checks that noticed it with the first seed stand in the place of one."""
    noticed = f"{row['killed']} of {row['seeds']}"
    if row["survives"]:
        noticed = f"survives with seed {', '.join(map(str, row['survives']))}"
    check = ", ".join(row["kills"]) if every else row["check"]
    figures = ("", "") if row["examples"] is None else (f"{row['examples']}", f"{row['seconds']:.2f}")
    return [row["mutant"], row["cell"], row["sentence"], noticed, row["clause"], check, *figures]


def _diagnosis(measured: Measured, every: bool) -> Printed:
    rows, not_named = [], set()
    for row in measured["mutants"]:
        others = [name for name in row["alike"] if name != row["mutant"]]
        if row["mutant"] in row["alike"]:
            told = ["itself", *others[:_SHOWN]]
        else:
            told = others[:_SHOWN] or ["nothing"]
            not_named.add(row["mutant"])
        more = f" and {len(others) - _SHOWN} others" if len(others) > _SHOWN else ""
        sentence = catalogue()[row["mutant"]].sentence
        rows.append([row["mutant"], row["cell"], sentence, row["check"], ", ".join(told) + more])
    share = 100 * measured["named"] / measured["of"] if measured["of"] else 0
    last = f"the diagnosis names {measured['named']} of {measured['of']} mutants for what they are, {share:.1f} %"
    return Printed(("mutant", "cell", "fault", "check that fails", "is like"), rows, last, frozenset(not_named))


def _promises(measured: Measured, every: bool) -> Printed:
    rows, none = [], set()
    for promise in PROMISES:
        clauses = [clause for clause in specification().clauses if promise_of(clause) == promise]
        cited = [name.partition("::")[2] for name in checks() if promise in promises_of(name)]
        only = [row for row in measured["mutants"] if row["promise"] == promise]
        if not only:
            none.add(promise)
        told = "; ".join(
            f"{row['mutant']} ({row['profile']}: {', '.join(_function(name) for name in row['checks'])})"
            for row in only
        )
        rows.append([promise, ", ".join(clauses), ", ".join(cited), f"{len(only)}", told])
    last = f"{measured['alone']} of {measured['of']} mutants that were tried are noticed by one promise's checks alone"
    return Printed(
        ("promise", "clauses", "checks", "only these", "mutants (profile: and which checks)"),
        rows,
        last,
        frozenset(none),
    )


def _function(check: str) -> str:
    return check.partition("::")[2]
