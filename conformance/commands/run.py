"""The command ``rnn-conformance run``: check adapters, and write a report."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
import platformdirs
from rich.console import Console

from rnn_conformance.conformance.cases.profiles import PROFILES, Profile
from rnn_conformance.conformance.commands.console import (
    engine_options,
    report_format_option,
    seed_option,
    selection_options,
    timeout_option,
)
from rnn_conformance.conformance.commands.errors import DidNotWork, WrongUsage
from rnn_conformance.conformance.commands.installed import check_installed, installed, plain_name
from rnn_conformance.conformance.commands.parts import run_on_engine
from rnn_conformance.conformance.commands.report import read_and_show
from rnn_conformance.conformance.running.compiled import folder_for
from rnn_conformance.conformance.running.interrupts import as_interrupts, status_of
from rnn_conformance.conformance.running.live import live_progress
from rnn_conformance.conformance.running.lock import InUse, alone_in
from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.selection import Selection, refuse_wrong
from rnn_conformance.conformance.running.supervisor import run_all
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.records.records import DamagedResults, name_of


@click.command()
@click.argument("adapters", nargs=-1, metavar="[ADAPTER]...")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="default",
    show_default=True,
    help="How much to check: " + "; ".join(f"{p.name}, {p.summary}" for p in PROFILES.values()) + ".",
)
@seed_option
@selection_options
@click.option(
    "--shard", default="", metavar="N/OF", help="Check this part only, such as 3/8; `report` joins the parts."
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Processes to run at a time: one for each adapter and cell, or, where there are fewer of these, for parts of "
    "them.  [default: the number of processors]",
)
@engine_options("each backend on each kind of cell")
@click.option("--seeds", type=click.IntRange(1), default=200, show_default=True, help="How many, for soak.")
@timeout_option
@click.option(
    "--cache/--no-cache",
    default=True,
    show_default=True,
    help="Keep what JAX and PyTorch compile for the next run, in the user's folder for caches; for another processor, "
    "version or setting there is another.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("conformance-report"),
    show_default=True,
    help="Folder for results, logs, witnesses, reproducers and the report (index.html).",
)
@report_format_option
def run(
    adapters: tuple[str, ...],
    profile: str,
    seed: int,
    cells: tuple[str, ...],
    only: tuple[str, ...],
    checks: tuple[str, ...],
    dtypes: tuple[str, ...],
    shard: str,
    jobs: int | None,
    engine_asked: str,
    parts: int,
    seeds: int,
    timeout: float,
    cache: bool,
    out: Path,
    form: str,
) -> None:
    """Check adapters, each in a process of its own, and write a report.

    ADAPTER is a registered name (see `rnn-conformance adapters`), package.module:attribute, or the manifest of a
    program in any language, such as ./my-backend.toml (docs/process.md). With none, every adapter whose framework is
    installed is checked, and the NumPy reference beside them. --only, --check and --dtype may be given several times
    each; a check is run if it is one that each of them asks for.

    \b
    rnn-conformance run --profile smoke
    rnn-conformance run torch --only 1.4 --only 3
    rnn-conformance run torch --cell lstm --cell gru --dtype float32
    rnn-conformance run torch --check test_recurrence --check test_last_output
    rnn-conformance run torch --shard 3/8 --out shard-3     (then: rnn-conformance report shard-*)
    rnn-conformance run keras-jax --profile thorough --engine dask:tcp://scheduler:8786 --parts 20
    rnn-conformance run my_package.my_adapter:adapter --seed 7 --out my-report

    Exit status: 0 conforms, 1 does not, 2 wrong usage, or no framework is installed, 3 the run itself did not work, was
    cut short, or another run writes into the folder; 130, 143 or 129 if it was interrupted, terminated or hung up.
    """
    asked = Selection(only, checks, dtypes, shard)
    if shard and engine_asked:
        raise WrongUsage("--engine cuts the whole run into parts: leave --shard out")
    try:
        cells = tuple(_asked_about(asked, PROFILES[profile], dict.fromkeys(cells)))
        chosen = list(dict.fromkeys(map(plain_name, adapters))) if adapters else installed()
        for adapter in chosen:
            check_installed(adapter)
    except ValueError as error:
        raise WrongUsage(error) from None
    compiled = _for_compiled() if cache else None
    seeds = seeds if profile == "soak" else 1
    folder = out.resolve()
    orders = [Order(profile, seed, asked, seeds, timeout, folder, cell=cell, compiled=compiled) for cell in cells]
    try:
        with as_interrupts(), alone_in(folder) as dead:
            if dead:
                click.echo(f"took over {shown(str(out))} from {shown(dead)}, which has died", err=True)
            if engine_asked:
                paths = run_on_engine(orders, chosen, engine_asked, jobs, parts)
            else:
                paths = _run(orders, chosen, jobs or os.cpu_count() or 1)
    except KeyboardInterrupt as interrupt:
        paths = [path for order in orders for adapter in chosen if (path := order.results(adapter)).exists()]
        if paths:
            _show(paths, form, out)
            click.echo("interrupted; what was found until then is in the report", err=True)
        else:
            told = "; the same command goes on" if engine_asked else " before anything was found"
            click.echo(f"interrupted{told}", err=True)
        sys.exit(status_of(interrupt))
    except (InUse, DamagedResults, OSError) as error:  # another program writes into the folder, or the disk is full
        raise DidNotWork(error) from None
    sys.exit(_show(paths, form, out))


def _asked_about(asked: Selection, profile: Profile, cells: Iterable[str]) -> Iterator[str]:
    """The cells of which what was asked for says something. Raises ValueError where it is none of them."""
    refusals, about = [], []
    for cell in cells:
        try:
            refuse_wrong(asked, profile, cell)
        except ValueError as error:
            refusals.append(error)
        else:
            about.append(cell)
    if not about:
        raise refusals[0]
    yield from about


def _run(orders: Sequence[Order], adapters: Sequence[str], jobs: int) -> list[Path]:
    """Run these orders on each adapter, show how far they are, and return their results files."""
    names = [name_of(adapter, order.cell) for order in orders for adapter in adapters]
    with live_progress(Console(stderr=True), names) as report:
        return run_all(orders, adapters, jobs, report)


def _for_compiled() -> Path | None:
    """Where to keep what frameworks compile; none, and a word on it, where nothing can be written."""
    kept = Path(platformdirs.user_cache_dir("rnn-conformance", appauthor=False))
    try:
        return folder_for(kept)
    except OSError as error:
        click.echo(f"nothing that is compiled is kept: {shown(str(error))}", err=True)
        return None


def _show(paths: Sequence[Path], form: str, out: Path) -> int:
    """Report on the results of a run. If they cannot be read, then the run itself did not work."""
    try:
        return read_and_show(paths, form, out)
    except (ValueError, OSError) as error:
        raise DidNotWork(error) from None
