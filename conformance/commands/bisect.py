"""The command ``rnn-conformance bisect``: the release with which one clause or check came to another outcome."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
from packaging.version import InvalidVersion, Version
from platformdirs import user_cache_path

from rnn_conformance.adapters.description import DTYPES
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.commands.console import seed_option, timeout_option
from rnn_conformance.conformance.commands.errors import DidNotWork, WrongUsage
from rnn_conformance.conformance.commands.sweeping import DAY, SWEPT, engine_option, show_progress
from rnn_conformance.conformance.running.interrupts import as_interrupts, status_of
from rnn_conformance.conformance.running.results import EVIDENCE
from rnn_conformance.conformance.running.selection import Selection, refuse_wrong
from rnn_conformance.conformance.sweeping.bisect import Answer, Bisection, Question, Tested
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.engines import engine
from rnn_conformance.conformance.sweeping.environments import CannotBeMade, UvFailed
from rnn_conformance.conformance.sweeping.indexes import set_up
from rnn_conformance.conformance.sweeping.plan import Point, Span, in_order, packages_of, plan
from rnn_conformance.conformance.sweeping.searching import NoChange
from rnn_conformance.conformance.sweeping.sweep import Asked
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reports.records import records
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.records.records import USUAL_CELL

_OLDEST = "2023"


@click.command()
@click.argument("adapter")
@click.argument("subject", metavar="CLAUSE|CHECK")
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True, help="In this dtype.")
@click.option(
    "--mode", default="", metavar="MODE", help="In this mode, such as eager.  [default: the adapter's main one]"
)
@click.option(
    "--cell", type=click.Choice(list(CELLS)), default=USUAL_CELL, show_default=True, help="Of this kind of cell."
)
@click.option("--good", default="", metavar="VERSION|FILE", help="A version, or results with it, that is as it was.")
@click.option("--bad", default="", metavar="VERSION|FILE", help="One that is as it is now.  [default: the newest]")
@click.option("--releases", "packages", multiple=True, metavar="PACKAGE", help="Vary this package only. Repeatable.")
@click.option(
    "--since",
    type=DAY,
    metavar="DAY",
    default=_OLDEST,
    show_default=True,
    help="Look at no release from before this day.",
)
@click.option("--until", type=DAY, metavar="DAY", help="Look at no release from after this day.")
@click.option("--pre", is_flag=True, help="Take pre-releases and nightly builds, too.")
@click.option("--pin", "pins", multiple=True, metavar="REQUIREMENT", help="Have this in every environment. Repeatable.")
@click.option("--profile", type=click.Choice(SWEPT), default="smoke", show_default=True, help="How much to check.")
@seed_option
@engine_option
@timeout_option
@click.option(
    "--kept",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder in which results are kept and found again, those of sweeps too.  [default: in the user's folder for "
    "caches]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("conformance-bisect"),
    show_default=True,
    help="Folder for the two results with their witnesses, a script that shows it, and bisect.json.",
)
def bisect(
    adapter: str,
    subject: str,
    dtype: str,
    mode: str,
    cell: str,
    good: str,
    bad: str,
    packages: tuple[str, ...],
    since: datetime,
    until: datetime | None,
    pre: bool,
    pins: tuple[str, ...],
    profile: str,
    seed: int,
    engine_asked: str,
    timeout: float,
    kept: Path | None,
    out: Path,
) -> None:
    """Find the release with which a clause or a check came to another outcome, in one dtype, mode and kind of cell.

    VERSION is one of the first package that varies. Without --good, it goes back from the newest in ever longer steps.
    With several packages, the day is found first, and then which of them it is. What cannot be run is passed over.

    \b
    rnn-conformance bisect keras-jax 7.2 --dtype float64 --good 3.10.0 --bad 3.15.1
    rnn-conformance bisect keras-jax 7.2 --dtype float64 --releases keras --pin jax==0.10.2
    rnn-conformance bisect flax-nnx test_recurrence --cell gru --good old/flax-nnx-gru.jsonl

    Exit status: 0 a release is named, 1 a range is left, as releases in it cannot be run, 2 wrong usage, 3 it did not
    work, 4 there is no change between the ends; 130, 143 or 129 if it was interrupted, terminated or hung up.
    """
    indexes, python = set_up(), sys.executable
    is_check = not subject[:1].isdigit()
    selected = Selection((), (subject,), (dtype,)) if is_check else Selection((subject,), (), (dtype,))
    asked = Asked(adapter, cell, profile, seed, selected, timeout, python, indexes)
    cache = Cache(kept or user_cache_path("rnn-conformance", appauthor=False) / "sweeps")
    try:
        refuse_wrong(selected, PROFILES[profile], cell)
        varied = packages_of(adapter, packages)
        ends = [_version(end, varied[0]) for end in (good, bad)]
        points = in_order(plan(adapter, Span(varied, since.date(), pre, pins=pins), indexes, python), varied)
        points = [each for each in points if until is None or (each.release.day or until.date()) <= until.date()]
        first = _place(points, varied[0], ends[0], "good")
        last = _place(points, varied[0], ends[1], "bad")
        last = len(points) - 1 if last is None else last
        if first is not None and first >= last:
            raise ValueError(f"--good is {points[first].release}, which is not before {points[last].release}")
    except (ValueError, ImportError, CannotBeMade, OSError) as error:
        raise WrongUsage(error) from None
    except UvFailed as error:
        raise DidNotWork(error) from None
    try:
        with as_interrupts(), engine(engine_asked, 1, cache.folder) as place, show_progress() as tell:
            answer = Bisection(asked, Question(subject, dtype, mode), place, cache, tell).find(points, first, last)
    except NoChange as reason:
        click.echo(f"{subject} in {dtype} of {cell}: {shown(str(reason))}")
        sys.exit(4)
    except KeyboardInterrupt as interrupt:
        click.echo("interrupted; what was found is kept, and the same command goes on", err=True)
        sys.exit(status_of(interrupt))
    except (UvFailed, OSError, ValueError) as error:
        raise DidNotWork(error) from None
    _show(answer, Question(subject, dtype, mode), f"{subject} in {dtype} of {cell}", out)
    sys.exit(0 if answer.is_exact else 1)


def _version(end: str, package: str) -> str:
    """The version that an end names, by itself or by results. Raises ValueError for what is neither."""
    if not Path(end).is_file():
        return end.removeprefix(f"{package}==")
    versions = records.read(Path(end)).header.versions
    if package not in versions:
        raise ValueError(f"{end} does not say with which {package} it was made, only {', '.join(versions)}")
    return versions[package]


def _place(points: Sequence[Point], package: str, version: str, option: str) -> int | None:
    """The place of a version among the points; None for no version. Raises ValueError, with those that there are."""
    if not version:
        return None
    try:
        wanted = Version(version)
    except InvalidVersion:
        raise ValueError(f"--{option} {version} is neither a version nor a file of results") from None
    for place, point in enumerate(points):
        if point.release.package == package and Version(point.release.version) == wanted:
            return place
    have = ", ".join(point.release.version for point in points if point.release.package == package)
    raise ValueError(f"--{option} {version} is none of the releases of {package} that can be tried: {have}")


def _show(answer: Answer, question: Question, what: str, out: Path) -> None:
    """Print the sentence and what belongs to it, and write the evidence."""
    out.mkdir(parents=True, exist_ok=True)
    told = list(_sentences(answer, what))
    for line in told:
        click.echo(shown(line))
    for name, tested in (("before", answer.good), ("after", answer.bad)):
        _copy(tested, out / name)
        for path in _scripts(tested, question, answer, out, name):
            click.echo(f"uv run {shown(str(path))}")
    found = {
        "said": told,
        "blamed": answer.blamed,
        "changed": {name: list(pair) for name, pair in answer.changed.items()},
        "hidden": list(answer.hidden),
        "before": {"release": answer.good.label, "outcome": answer.good.outcome, "versions": answer.good.versions},
        "after": {"release": answer.bad.label, "outcome": answer.bad.outcome, "versions": answer.bad.versions},
        "jobs": answer.jobs,
    }
    (out / "bisect.json").write_text(json.dumps(found, indent=2), encoding="utf-8")


def _sentences(answer: Answer, what: str) -> Sequence[str]:
    good, bad = answer.good, answer.bad
    told = [f"{what}: {good.outcome} with {good.label}, {bad.outcome} with {bad.label}"]
    if answer.hidden:
        told.append(f"between the two, which could not be run: {', '.join(answer.hidden)}")
    step = [f"{name} {was} → {now}" for name, (was, now) in answer.changed.items()]
    if answer.blamed in answer.changed:
        others = len(step) - 1
        was, now = answer.changed[answer.blamed]
        alone = f", and {others} other packages beside it" if others else ", and nothing else"
        told.append(f"it is {answer.blamed}, {was} → {now}{alone}")
    elif answer.blamed:
        told.append(f"it is none of the backend's own packages, but {answer.blamed}: {', '.join(step)}")
    else:
        told.append(f"which package it is, is not told apart: {', '.join(step)}")
    if len(answer.turns) > 1:
        told.append(f"this was not the only change: {'; '.join(answer.turns)}")
    told.append(f"{answer.jobs} jobs were run for this")
    return told


def _copy(tested: Tested, target: Path) -> None:
    """Copy results and the evidence beside them."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copyfile(tested.results.path, target / tested.results.path.name)
    for folder in EVIDENCE:
        if (source := tested.results.path.parent / folder).is_dir():
            shutil.copytree(source, target / folder)


def _scripts(tested: Tested, question: Question, answer: Answer, out: Path, name: str) -> Sequence[Path]:
    """Write the first script of what failed on either side, to be run with the packages of this one."""
    for side in (answer.bad, answer.good):
        for record in question.records(side.results):
            source = side.results.path.parent / record.reproducer_file
            if record.reproducer_file and source.is_file():
                path = out / f"{name}.py"
                path.write_text(_with_packages(source.read_text(encoding="utf-8"), tested), encoding="utf-8")
                return [path]
    return []


def _with_packages(script: str, tested: Tested) -> str:
    """A script that says itself which packages it is to be run with (PEP 723)."""
    python = ".".join(tested.results.header.environment.get("python", "3.11").split(".")[:2])
    pins = "".join(f'#   "{name}=={version}",\n' for name, version in sorted(tested.versions.items()))
    return f'# /// script\n# requires-python = "=={python}.*"\n# dependencies = [\n{pins}# ]\n# ///\n{script}'
