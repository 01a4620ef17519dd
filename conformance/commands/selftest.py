"""The command ``rnn-conformance selftest``: what the suite is worth, measured by layers that are known to be wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import checks
from rnn_conformance.conformance.commands.console import engine_options
from rnn_conformance.conformance.commands.errors import WrongUsage
from rnn_conformance.conformance.commands.parts import try_on_engine
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.cells import cell_of
from rnn_conformance.conformance.running import results
from rnn_conformance.conformance.selftest.diagnosing import diagnosed
from rnn_conformance.conformance.selftest.measured import part
from rnn_conformance.conformance.selftest.measured import save as write
from rnn_conformance.conformance.selftest.promises import alone as alone_noticed
from rnn_conformance.conformance.selftest.promises import candidates, table
from rnn_conformance.conformance.selftest.tables import show
from rnn_conformance.conformance.selftest.trials import Trial, run_trials, score
from rnn_conformance.reference.cells.kinds import CELLS

_EACH = 50
"""Where there is no terminal, a line is printed after so many mutants."""


@click.command()
@click.argument("mutants", nargs=-1, metavar="[MUTANT]...")
@click.option("--cell", type=click.Choice(list(CELLS)), help="Only the mutants of this cell.  [default: of each]")
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
@click.option(
    "--diagnose",
    is_flag=True,
    help="Take each mutant for an unknown framework, and see whether the diagnosis of its failure names it.",
)
@click.option(
    "--alone",
    is_flag=True,
    help="Find the mutants that only the checks of one promise of the layer notice. Takes hours in profile default, "
    "and minutes in smoke; without MUTANT, those are tried that are said to break one promise.",
)
@click.option("--jobs", type=click.IntRange(1), help="Mutants to try at a time.  [default: the number of processors]")
@engine_options("the catalogue")
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the result to this file, as JSON; its lines of other mutants stay, if these have not changed.",
)
@click.option("--saved", is_flag=True, help="Run nothing, and print the result that comes with this version.")
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
    cell: str | None,
    profile: str,
    seeds: int,
    every: bool,
    diagnose: bool,
    alone: bool,
    jobs: int | None,
    engine_asked: str,
    parts: int,
    save: Path | None,
    saved: bool,
    form: str,
) -> None:
    """Check the checks: each of a catalogue of layers that are wrong in one way must be noticed.

    MUTANT is the name of one of them, or the theme of several; with none, all are tried. Each is tried as a run of its
    cell would: the checks of the clauses that it is said to break come first, then all others in the order of the
    specification, until one fails.
    --diagnose and --alone ask other questions of the same mutants.

    \b
    rnn-conformance selftest
    rnn-conformance selftest masks recurrent-kernel-transposed --seeds 20
    rnn-conformance selftest --cell lstm
    rnn-conformance selftest --seeds 20 --engine dask:tcp://scheduler:8786 --parts 40
    rnn-conformance selftest --all --format markdown
    rnn-conformance selftest --diagnose activations
    rnn-conformance selftest --saved

    Exit status: 0 all noticed, 1 some were not or a check broke, 2 wrong usage.
    """
    if diagnose + alone + every > 1 or ((diagnose or alone) and seeds > 1):
        raise WrongUsage("--all, --diagnose and --alone exclude one another, and the last two take one seed")
    if engine_asked and (diagnose or alone):
        raise WrongUsage("--engine tries mutants: --diagnose and --alone are asked here")
    what = "diagnosis" if diagnose else "promises" if alone else "detection"
    chosen = candidates() if alone and not mutants else _chosen(mutants)
    chosen = [name for name in chosen if cell in (None, cell_of(catalogue()[name]))]
    if not chosen:
        raise WrongUsage(f"none of these mutants is of the cell {cell}")
    if saved:
        show(what, part(what, results.saved(what), chosen), form, every=every)
        return
    here = min(jobs or os.cpu_count() or 1, len(chosen) * seeds)
    broken: list[Trial] = []
    if diagnose:
        with _progress("mutants", len(chosen)) as progress:
            found = diagnosed(chosen, profile, 0, here, progress)
    elif alone:
        with _progress("checks", len(checks())) as progress:
            alike = alone_noticed(
                chosen, 0, profile, here, lambda check, left: progress(f"{check}: {left} mutants left")
            )
        found = table(alike, chosen, 0, profile)
    else:
        with _progress("mutants", len(chosen) * seeds) as progress:

            def report(trial: Trial) -> None:
                progress(*_told(trial))

            if engine_asked:
                trials = try_on_engine(chosen, range(seeds), profile, every, engine_asked, jobs, parts, report)
            else:
                trials = run_trials(chosen, range(seeds), profile, here, every, report)
        found = score(trials, profile)
        broken = [trial for trial in trials if trial.broken]
    if save:
        try:
            write(save, what, found)
        except ValueError as error:
            raise WrongUsage(error) from None
    show(what, found, form, every=every)
    for trial in broken:
        click.echo(f"{trial.mutant}, seed {trial.seed}: a check broke: {trial.broken[0]}", err=True)
    sys.exit(0 if what != "detection" or (found["killed"] == found["of"] and not broken) else 1)


def _chosen(names: tuple[str, ...]) -> list[str]:
    """The mutants of these names and themes, in the order of the catalogue. Raises WrongUsage for another word."""
    known = catalogue()
    themes = list(dict.fromkeys(fault.theme for fault in known.values()))
    for name in names:
        if name not in known and name not in themes:
            raise WrongUsage(f"there is no mutant and no theme {name!r}; the themes are {', '.join(themes)}")
    return [name for name, fault in known.items() if not names or name in names or fault.theme in names]


def _told(trial: Trial) -> tuple[str, str]:
    """What is said of a trial while others run: in passing, and for good."""
    if trial.kills:
        return f"{trial.mutant}: {trial.kills[0].check}", ""
    return f"{trial.mutant}: survives", f"{trial.mutant} survives with seed {trial.seed}"


@contextmanager
def _progress(of: str, total: int) -> Iterator[Callable[..., None]]:
    """A bar on the terminal; what it gives is called with what was last done, and perhaps what is to stay there."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}", markup=False, style="dim"),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        bar = progress.add_task(of, total=total, last="")

        def done(last: str, stays: str = "") -> None:
            progress.update(bar, advance=1, last=last)
            if stays:
                console.print(stays, markup=False)
            completed = int(progress.tasks[bar].completed)
            if not console.is_terminal and completed % _EACH == 0:
                console.print(f"{completed} of {total} tried", markup=False)

        yield done
