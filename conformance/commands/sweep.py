"""The command ``rnn-conformance sweep``: a backend at every release of its packages, and what each of them changed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import click
from platformdirs import user_cache_path

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.commands.console import format_option, seed_option, selection_options, timeout_option
from rnn_conformance.conformance.commands.errors import DidNotWork, WrongUsage
from rnn_conformance.conformance.commands.output import echo_utf8
from rnn_conformance.conformance.commands.sweeping import DAY, SWEPT, engine_option, show_progress
from rnn_conformance.conformance.running.interrupts import as_interrupts, status_of
from rnn_conformance.conformance.running.selection import Selection, refuse_wrong
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.engines import engine
from rnn_conformance.conformance.sweeping.environments import CannotBeMade, UvFailed
from rnn_conformance.conformance.sweeping.indexes import set_up
from rnn_conformance.conformance.sweeping.job import Job, Skipped
from rnn_conformance.conformance.sweeping.plan import Plan, Point, Span, packages_of, plan
from rnn_conformance.conformance.sweeping.sweep import Asked, jobs_of, run_all
from rnn_conformance.reports.documents.loading import load
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.records.records import name_of
from rnn_conformance.reports.renderings.releases_markdown import releases_json, releases_markdown
from rnn_conformance.reports.site.releases import write_releases
from rnn_conformance.reports.upgrades.releases import Timeline, Tried, timeline


@click.command()
@click.argument("adapter")
@click.option(
    "--since",
    type=DAY,
    metavar="DAY",
    required=True,
    help="From this day on: 2024-06-15, 2024-06 or 2024.",
)
@click.option("--releases", "packages", multiple=True, metavar="PACKAGE", help="Vary this package only. Repeatable.")
@click.option("--pre", is_flag=True, help="Take pre-releases and nightly builds, too.")
@click.option("--lines", is_flag=True, help="Take the newest release of each line only, such as 3.12.4 of 3.12.")
@click.option("--pin", "pins", multiple=True, metavar="REQUIREMENT", help="Have this in every environment. Repeatable.")
@click.option("--profile", type=click.Choice(SWEPT), default="smoke", show_default=True, help="How much to check.")
@seed_option
@selection_options
@click.option("--jobs", type=click.IntRange(1), help="Environments to run at a time.  [default: as many as processors]")
@engine_option
@timeout_option
@click.option(
    "--kept",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which results are kept and found again, which several people may share.  [default: in the user's "
    "folder for caches]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("conformance-sweep"),
    show_default=True,
    help="Folder for the timeline: a page, pictures, sweep.json and sweep.md.",
)
@format_option
def sweep(
    adapter: str,
    since: datetime,
    packages: tuple[str, ...],
    pre: bool,
    lines: bool,
    pins: tuple[str, ...],
    profile: str,
    seed: int,
    cells: tuple[str, ...],
    only: tuple[str, ...],
    checks: tuple[str, ...],
    dtypes: tuple[str, ...],
    jobs: int | None,
    engine_asked: str,
    timeout: float,
    kept: Path | None,
    out: Path,
    form: str,
) -> None:
    """Check a backend at every release of its packages, and tell what each of them changed.

    Releases are those of the package index that pip or uv is set up with. Each has an environment of its own, with
    neighbours as they were on its day; --pin overrules that day. One that cannot be made, or in which the framework
    cannot be imported, is skipped, with the reason. What was run before is not run again.

    \b
    rnn-conformance sweep keras-jax --since 2024-06
    rnn-conformance sweep keras-jax --since 2025 --releases keras --lines --pin jax==0.10.2
    rnn-conformance sweep flax-nnx --since 2024-11 --cell lstm --cell gru --only 1 --only 9
    rnn-conformance sweep jax-scan --since 2025-06 --pre

    Exit status: 0 the sweep was done, whatever it found, 2 wrong usage, 3 it did not work, or nothing could be run;
    130, 143 or 129 if it was interrupted, terminated or hung up: called again, it goes on.
    """
    indexes, python = set_up(), sys.executable
    asked = Selection(only, checks, dtypes)
    wanted = [Asked(adapter, cell, profile, seed, asked, timeout, python, indexes) for cell in dict.fromkeys(cells)]
    cache = Cache(kept or user_cache_path("rnn-conformance", appauthor=False) / "sweeps")
    try:
        for cell in cells:
            refuse_wrong(asked, PROFILES[profile], cell)
        made = plan(adapter, Span(packages_of(adapter, packages), since.date(), pre, lines, pins), indexes, python)
        if not made.points:
            raise ValueError(
                f"no release of {adapter}'s packages since {since.date()} can be installed here: {_left_out(made)}"
            )
    except (ValueError, ImportError, CannotBeMade) as error:
        raise WrongUsage(error) from None
    except UvFailed as error:
        raise DidNotWork(error) from None
    try:
        with as_interrupts(), engine(engine_asked, jobs, cache.folder) as place, show_progress() as tell:
            each_wanted = [(each, [point.wanted for point in made.points]) for each in wanted]
            found = [list(zip(made.points, jobs, strict=True)) for jobs in jobs_of(each_wanted, cache, tell)]
            to_run = [job for those in found for _, job in those if isinstance(job, Job)]
            passing = run_all(to_run, place, cache, tell)
    except KeyboardInterrupt as interrupt:
        where = shown(str(cache.folder))
        click.echo(f"interrupted; what was found is kept in {where}, and the same command goes on", err=True)
        sys.exit(status_of(interrupt))
    except (UvFailed, OSError, ValueError) as error:
        raise DidNotWork(error) from None
    left_out = {str(each.release): each.reason for each in made.left_out}
    timelines = [
        timeline(
            name_of(each.adapter, each.cell), [_tried(point, job, cache, passing) for point, job in those], left_out
        )
        for each, those in zip(wanted, found, strict=True)
    ]
    _write(timelines, out, form)
    if not any(row.tried.results for each in timelines for row in each.rows):
        raise DidNotWork("nothing could be run: the reasons are in the timeline")


def _tried(point: Point, job: Job | Skipped, cache: Cache, passing: Mapping[str, Skipped]) -> Tried:
    """What came of a point, as it is kept, or why it was skipped this time."""
    release = point.release
    skipped = job if isinstance(job, Skipped) else passing.get(job.digest) or cache.skipped(job)
    why = f"{skipped.step}: {skipped.said}" if skipped else ""
    results = None if isinstance(job, Skipped) or skipped else load([cache.results(job)])[0]
    return Tried(release.package, release.version, str(release.day), results, why)


def _left_out(made: Plan) -> str:
    return "; ".join(f"{each.release} ({each.reason})" for each in made.left_out) or "there is none"


def _write(timelines: Sequence[Timeline], out: Path, form: str) -> None:
    """Write the timeline in every form, and print it in one."""
    out.mkdir(parents=True, exist_ok=True)
    told = {"markdown": releases_markdown(timelines), "json": releases_json(timelines)}
    (out / "sweep.md").write_text(told["markdown"], encoding="utf-8")
    (out / "sweep.json").write_text(told["json"], encoding="utf-8")
    if any(row.tried.results for each in timelines for row in each.rows):
        click.echo(f"The timeline: {shown(str(write_releases(timelines, out)))}", err=True)
    if form == "pretty":
        for each in timelines:
            click.echo(f"{each.name}: {shown(each.sentence)}")
            for row in each.rows:
                click.echo(f"  {row.tried.day}  {shown(str(row.tried))}: {shown(row.outcome)}")
    else:
        echo_utf8(told[form])
