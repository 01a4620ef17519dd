"""The command ``rnn-conformance selftest``: what the suite is worth, measured by layers that are known to be wrong."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from rnn_conformance.conformance.mutants import catalogue
from rnn_conformance.conformance.profiles import PROFILES
from rnn_conformance.conformance.results import saved_score
from rnn_conformance.conformance.selftest import Trial, run_trials, score

Score = Mapping[str, Any]

_EACH = 50
"""Where there is no terminal, a line is printed after so many mutants."""


@click.command()
@click.argument("mutants", nargs=-1, metavar="[MUTANT]...")
@click.option(
    "--profile",
    type=click.Choice([name for name, profile in PROFILES.items() if not profile.repeats]),
    default="default",
    show_default=True,
    help="How much to check.",
)
@click.option(
    "--seeds", type=click.IntRange(1), default=1, show_default=True, help="Try each mutant with so many seeds."
)
@click.option("--all", "every", is_flag=True, help="Run every check on every mutant, and print all that notice it.")
@click.option("--jobs", type=click.IntRange(1), help="Mutants to try at a time.  [default: the number of processors]")
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the score to this file, as JSON.",
)
@click.option("--saved", is_flag=True, help="Run nothing, and print the score that comes with this version.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["pretty", "markdown", "json"]),
    default="pretty",
    show_default=True,
    help="How to print the result.",
)
def selftest(
    mutants: tuple[str, ...],
    profile: str,
    seeds: int,
    every: bool,
    jobs: int | None,
    save: Path | None,
    saved: bool,
    form: str,
) -> None:
    """Check the checks: each of a catalogue of layers that are wrong in one way must be noticed.

    MUTANT is the name of one of them, or the theme of several; with none, all are tried. The checks of the clauses that
    a mutant is said to break come first, then all others in the order of the specification, until one fails.

    \b
    rnn-conformance selftest
    rnn-conformance selftest masks recurrent-kernel-transposed --seeds 20
    rnn-conformance selftest --all --format markdown
    rnn-conformance selftest --saved

    Exit status: 0 all noticed, 1 some were not or a check broke, 2 wrong usage.
    """
    chosen = _chosen(mutants)
    if saved:
        _show(_part(saved_score(), chosen), every, form)
        return
    jobs = min(jobs or os.cpu_count() or 1, len(chosen) * seeds)
    with _progress(Console(stderr=True), len(chosen) * seeds) as progress:
        trials = run_trials(chosen, range(seeds), profile, jobs, every, progress)
    measured = score(trials, profile)
    if save:
        save.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    _show(measured, every, form)
    broken = [trial for trial in trials if trial.broken]
    for trial in broken:
        click.echo(f"{trial.mutant}, seed {trial.seed}: a check broke: {trial.broken[0]}", err=True)
    sys.exit(0 if measured["killed"] == measured["of"] and not broken else 1)


def _part(score: Score, chosen: list[str]) -> Score:
    """Of a score, what it says of these mutants."""
    rows = [row for row in score["mutants"] if row["mutant"] in chosen]
    return {**score, "mutants": rows, "killed": sum(not row["survives"] for row in rows), "of": len(rows)}


def _chosen(names: tuple[str, ...]) -> list[str]:
    """The mutants of these names and themes, in the order of the catalogue. Raises UsageError for another word."""
    known = catalogue()
    themes = list(dict.fromkeys(fault.theme for fault in known.values()))
    for name in names:
        if name not in known and name not in themes:
            raise click.UsageError(f"there is no mutant and no theme {name!r}; the themes are {', '.join(themes)}")
    return [name for name, fault in known.items() if not names or name in names or fault.theme in names]


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Any]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}", markup=False, style="dim"),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        bar = progress.add_task("mutants", total=total, last="")

        def show(trial: Trial) -> None:
            noticed = trial.kills[0].check if trial.kills else "survives"
            progress.update(bar, advance=1, last=f"{trial.mutant}: {noticed}")
            if not trial.kills:
                console.print(f"{trial.mutant} survives with seed {trial.seed}", markup=False)
            done = int(progress.tasks[bar].completed)
            if not console.is_terminal and done % _EACH == 0:
                console.print(f"{done} of {total} tried", markup=False)

        yield show


def _show(measured: Score, every: bool, form: str) -> None:
    if form == "json":
        click.echo(json.dumps(measured, indent=1))
        return
    heads = ("mutant", "fault", "noticed", "clause", "check", "examples", "seconds")
    rows = [_cells(row, every) for row in measured["mutants"]]
    last = (
        f"{measured['killed']} of {measured['of']} mutants noticed with each of {len(measured['seeds'])} seeds, "
        f"profile {measured['profile']}"
    )
    if form == "markdown":
        click.echo("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
        for cells in rows:
            click.echo("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        click.echo(f"\n{last}")
        return
    table = Table(*heads, box=None, pad_edge=False)
    for cells in rows:
        survives = cells[2].startswith("survives")
        table.add_row(*(Text(cell, style="bold red" if survives else "") for cell in cells))
    console = Console()
    console.print(table)
    console.print(last)


def _cells(row: Mapping[str, Any], every: bool) -> list[str]:
    """One line of the table. With `every`, all checks that noticed it with the first seed stand in the place of one."""
    noticed = f"{row['killed']} of {row['seeds']}"
    if row["survives"]:
        noticed = f"survives with seed {', '.join(map(str, row['survives']))}"
    check = ", ".join(row["kills"]) if every else row["check"]
    figures = ("", "") if row["examples"] is None else (f"{row['examples']}", f"{row['seconds']:.2f}")
    return [row["mutant"], row["sentence"], noticed, row["clause"], check, *figures]
