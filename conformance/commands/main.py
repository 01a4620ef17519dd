"""The commands of ``rnn-conformance``: run, adapters, spec; the others have files of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.commands.atlas import atlas
from rnn_conformance.conformance.commands.compare import compare
from rnn_conformance.conformance.commands.console import (
    DidNotWork,
    WrongUsage,
    check_installed,
    format_option,
    print_rows,
    report_format_option,
    timeout_option,
)
from rnn_conformance.conformance.commands.deviations import deviations
from rnn_conformance.conformance.commands.replay import replay
from rnn_conformance.conformance.commands.report import read_and_show, report, schema
from rnn_conformance.conformance.commands.selftest import selftest
from rnn_conformance.conformance.running.live import live_progress
from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.supervisor import run_all
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.records.records import DamagedResults

_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rnn-conformance")
def cli() -> None:
    """Check recurrent layers of different frameworks against one specification.

    \b
    rnn-conformance run                   every adapter that is installed
    rnn-conformance run torch keras-jax   two of them
    rnn-conformance compare OLD NEW       what an upgrade changes
    rnn-conformance replay WITNESS        a failing example, once more
    rnn-conformance selftest              what the suite notices
    rnn-conformance spec 1.1              what a clause says
    rnn-conformance atlas                 where each framework keeps its weights
    rnn-conformance deviations            where frameworks are known to depart
    """


for _command in (report, compare, atlas, deviations, schema, replay, selftest):
    cli.add_command(_command)


@cli.command()
@click.argument("adapters", nargs=-1, metavar="[ADAPTER]...")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="default",
    show_default=True,
    help="How much to check: " + "; ".join(f"{p.name}, {p.summary}" for p in PROFILES.values()) + ".",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),  # the integers that results hold
    default=0,
    metavar="INTEGER",
    show_default=True,
    help="Changes shapes and numbers.",
)
@click.option("--only", multiple=True, metavar="CLAUSE", help="Check this clause (1.3) or chapter (1) only.")
@click.option("--jobs", type=click.IntRange(1), help="Adapters to run at a time.  [default: the number of processors]")
@click.option("--seeds", type=click.IntRange(1), default=200, show_default=True, help="How many, for soak.")
@timeout_option
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
    only: tuple[str, ...],
    jobs: int | None,
    seeds: int,
    timeout: float,
    out: Path,
    form: str,
) -> None:
    """Check adapters, each in a process of its own, and write a report.

    ADAPTER is a registered name (see `rnn-conformance adapters`) or package.module:attribute. With none, every adapter
    whose framework is installed is checked.

    \b
    rnn-conformance run --profile smoke
    rnn-conformance run torch --only 1.4 --only 3
    rnn-conformance run my_package.my_adapter:adapter --seed 7 --out my-report

    Exit status: 0 conforms, 1 does not, 2 wrong usage, 3 the run itself did not work or was cut short.
    """
    try:
        specification().select(list(only))
        chosen = list(dict.fromkeys(adapters)) if adapters else _installed()
        for adapter in chosen:
            check_installed(adapter)
    except ValueError as error:
        raise WrongUsage(error) from None
    order = Order(profile, seed, only, seeds if profile == "soak" else 1, timeout, out.resolve())
    jobs = min(jobs or os.cpu_count() or 1, len(chosen))
    try:
        with live_progress(Console(stderr=True), chosen) as report:
            paths = run_all(order, chosen, jobs, report)
    except KeyboardInterrupt:
        paths = [path for adapter in chosen if (path := order.results(adapter)).exists()]
        if paths:
            _show(paths, form, out)
        click.echo("interrupted; what was found until then is in the report", err=True)
        sys.exit(_INTERRUPTED)
    except (DamagedResults, OSError) as error:  # another program writes into the folder, or the disk is full
        raise DidNotWork(error) from None
    sys.exit(_show(paths, form, out))


@cli.command()
@format_option
def adapters(form: str) -> None:
    """List the registered adapters, and how to install what is missing."""
    rows = [
        {
            "adapter": adapter.name,
            "installed": not adapter.missing,
            "missing": ", ".join(adapter.missing),
            "install": adapter.how_to_install if adapter.missing else "",
            "target": adapter.target,
        }
        for adapter in registry.registered().values()
    ]
    print_rows(rows, form)


@cli.command()
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


def _installed() -> list[str]:
    """Every adapter that is installed; says on standard error which are not."""
    known = registry.registered().values()
    for adapter in known:
        if adapter.missing:
            click.echo(f"{adapter.name} is not installed: {adapter.how_to_install}", err=True)
    # From the end of the alphabet: torch, which compiles longest, should not be left to run alone at the end.
    return sorted((adapter.name for adapter in known if not adapter.missing), reverse=True)


def _show(paths: Sequence[Path], form: str, out: Path) -> int:
    """Report on the results of a run. If they cannot be read, then the run itself did not work."""
    try:
        return read_and_show(paths, form, out)
    except (ValueError, OSError) as error:
        raise DidNotWork(error) from None
