"""How what the selftest measured is printed: a table of mutants, or of promises, on the terminal or as Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import getdoc
from statistics import median
from typing import Any

import click
from rich.console import Console

from rnn_conformance.conformance import mutants
from rnn_conformance.conformance.checks.catalogue import checks, clauses_of
from rnn_conformance.conformance.mutants.catalogue import THEMES, catalogue
from rnn_conformance.conformance.mutants.families import families, family_of_all, told_of
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
    console = Console()
    tables = {"detection": _detection, "diagnosis": _diagnosis, "promises": _promises}[what](measured, every)
    for k, table in enumerate(tables):
        if form == "markdown":
            click.echo("\n" if k else "", nl=False)
            click.echo("| " + " | ".join(table.heads) + " |\n|" + " --- |" * len(table.heads))
            for cells in table.rows:
                click.echo("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
            click.echo(f"\n{table.last}")
        else:
            console.print(WholeTable(table.heads, table.rows, table.marked))
            console.print(table.last)


def _detection(measured: Measured, every: bool) -> Iterator[Printed]:
    # Lines that were measured at different times can be of different numbers of seeds.
    few, *_, many = 2 * sorted({row["seeds"] for row in measured["mutants"]} or {len(measured["seeds"])})
    seeds = f"{many} seeds" if few == many else f"the seeds that it was tried with, {few} to {many}"
    last = (
        f"{measured['killed']} of {measured['of']} mutants noticed with each of {seeds}, profile {measured['profile']}"
    )
    heads = ("mutant", "cell", "fault", "noticed", "clause", "check", "examples", "seconds")
    survivors = frozenset(row["mutant"] for row in measured["mutants"] if row["survives"])
    yield Printed(heads, [_noticed(row, every) for row in measured["mutants"]], last, survivors)
    yield _kinds(measured)


def _kinds(measured: Measured) -> Printed:
    """For each kind of faults the checks that notice them first, and after how many examples."""
    rows = []
    for sentence, names in _in_kinds():
        met = [row for row in measured["mutants"] if row["mutant"] in names and row["check"]]
        if not met:
            continue
        firsts = Counter(_function(row["check"].partition("[")[0]) for row in met)
        told = ", ".join(f"{check} ({number})" for check, number in firsts.most_common())
        examples = sorted(row["examples"] for row in met)
        after = f"{examples[0]} to {examples[-1]}, median {median(examples):g}"
        rows.append([sentence, f"{len(met)}", told, after])
    heads = ("kind of fault", "faults", "first noticed by (so many of them)", "after so many examples")
    return Printed(heads, rows, f"{len(rows)} kinds of faults; a fault may be of several")


def _in_kinds() -> Iterator[tuple[str, frozenset[str]]]:
    """The kinds, each in a sentence with its mutants: the families, and the themes that are no family."""
    yield from ((family.sentence, family.names) for family in families())
    told = {family.names for family in families()}
    for theme in THEMES:
        names = frozenset(name for name, fault in catalogue().items() if fault.theme == theme)
        if names not in told:
            doc = getdoc(import_module(f"{mutants.__name__}.{theme}"))
            assert doc is not None
            first = doc.partition(".\n")[0].removesuffix(".")
            yield first[0].lower() + first[1:], names


def _noticed(row: Mapping[str, Any], every: bool) -> list[str]:
    """One line of the table. With `every`, all checks that noticed it with the first seed stand in the place of one."""
    noticed = f"{row['killed']} of {row['seeds']}"
    if row["survives"]:
        noticed = f"survives with seed {', '.join(map(str, row['survives']))}"
    check = ", ".join(row["kills"]) if every else row["check"]
    figures = ("", "") if row["examples"] is None else (f"{row['examples']}", f"{row['seconds']:.2f}")
    return [row["mutant"], row["cell"], row["sentence"], noticed, row["clause"], check, *figures]


def _diagnosis(measured: Measured, every: bool) -> Iterator[Printed]:
    rows, not_named = [], set()
    for row in measured["mutants"]:
        told_names = told_of(row["alike"])
        others = [name for name in told_names if name != row["mutant"]]
        if row["mutant"] in told_names:
            told = ["itself", *others[:_SHOWN]]
        else:
            told = others[:_SHOWN] or ["nothing"]
            not_named.add(row["mutant"])
        more = f" and {len(others) - _SHOWN} others" if len(others) > _SHOWN else ""
        sentence = catalogue()[row["mutant"]].sentence
        family = family_of_all(told_names) if len(told_names) > 1 else None
        in_common = family.sentence if family else ""
        rows.append([row["mutant"], row["cell"], sentence, row["check"], ", ".join(told) + more, in_common])
    share = 100 * measured["named"] / measured["of"] if measured["of"] else 0
    last = f"the diagnosis names {measured['named']} of {measured['of']} mutants for what they are, {share:.1f} %; "
    last += f"with each left out of the catalogue in turn, it gives {measured['astray']} a name of another family"
    yield Printed(
        ("mutant", "cell", "fault", "check that fails", "is like", "of the family"), rows, last, frozenset(not_named)
    )


def _promises(measured: Measured, every: bool) -> Iterator[Printed]:
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
    yield Printed(
        ("promise", "clauses", "checks", "only these", "mutants (profile: and which checks)"),
        rows,
        last,
        frozenset(none),
    )
    yield _alone(measured)


def _is_about(row: Mapping[str, Any], check: str) -> bool:
    """Whether a mutant is said to break one of the clauses that a check cites."""
    return not set(catalogue()[row["mutant"]].breaks).isdisjoint(clauses_of(checks()[check]))


def _alone(measured: Measured) -> Printed:
    """For each check the mutants that no other one notices, or why there is none among those that were tried."""
    rows, none = [], set()
    for name in checks():
        noticed = [row for row in measured["mutants"] if name in row["checks"]]
        only = [row["mutant"] for row in noticed if len(row["checks"]) == 1]
        others = Counter(_function(other) for row in noticed for other in row["checks"] if other != name)
        if not only:
            none.add(_function(name))
        tried = [row for row in measured["mutants"] if _is_about(row, name)]
        why = f"{len(tried)} faults of its clauses were tried, which checks of several promises notice"
        if not tried:
            why = "no fault of its clauses was tried"
        elif others:
            why = f"what it notices, {', '.join(other for other, _ in others.most_common(_SHOWN))} notice, too"
        rows.append([_function(name), ", ".join(only) or f"none: {why}"])
    last = (
        f"{len(rows) - len(none)} of {len(rows)} checks notice a mutant that no other check notices, "
        f"of {measured['of']} that were tried"
    )
    return Printed(("check", "mutants that only it notices"), rows, last, frozenset(none))


def _function(check: str) -> str:
    return check.partition("::")[2]
