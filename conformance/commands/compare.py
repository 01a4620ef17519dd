"""The command ``rnn-conformance compare``: what changed between two runs, before an upgrade is made."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console

from rnn_conformance.conformance.commands.console import format_option
from rnn_conformance.conformance.commands.errors import WrongUsage
from rnn_conformance.conformance.commands.files import ResultsPath, is_pinned
from rnn_conformance.conformance.commands.output import echo_utf8
from rnn_conformance.reports.documents.loading import load
from rnn_conformance.reports.overview.cells import DTYPES
from rnn_conformance.reports.records.records import Results
from rnn_conformance.reports.renderings.comparison_markdown import comparison_markdown
from rnn_conformance.reports.renderings.comparison_terminal import TerminalComparison
from rnn_conformance.reports.renderings.markdown import escape
from rnn_conformance.reports.renderings.terminal import text_of
from rnn_conformance.reports.upgrades.change import KINDS
from rnn_conformance.reports.upgrades.comparison import Comparison, NotComparable
from rnn_conformance.reports.upgrades.comparison import compare as compare_results

_FAIL_ON = {
    "meaning": "a verdict got worse",
    "support": "support was lost",
    "accuracy": "errors grew",
    "bits": "bits differ",
    "any": "anything changed",
    "none": "never",
}


@click.command()
@click.argument("old", type=ResultsPath(exists=True, path_type=Path))
@click.argument("new", type=ResultsPath(exists=True, path_type=Path))
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(list(_FAIL_ON)),
    default=["meaning", "support"],
    show_default=True,
    help="What ends with status 1. "
    + "; ".join(f"{name}: {what}" for name, what in _FAIL_ON.items())
    + ". Repeatable.",
)
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(DTYPES),
    help="Compare the checks in this dtype only. Repeatable.  [default: all]",
)
@click.option(
    "--across-suites",
    is_flag=True,
    help="Compare also what two states of the suite found, and say so: a change may then be the suite's.",
)
@format_option
def compare(
    old: Path, new: Path, fail_on: tuple[str, ...], dtypes: tuple[str, ...], across_suites: bool, form: str
) -> None:
    """Tell what changed between two runs: of one backend before and after an upgrade, say.

    OLD and NEW are results files, or folders, at any depth, that hold them, or "pinned", the results of the pinned
    versions, which come with the suite; of folders, the runs of the same adapter are compared. Changes are of four
    kinds, which are never mixed:

    \b
    meaning    a verdict changed
    support    something is offered that was not, or not any more, or is done otherwise
    accuracy   errors grew or shrank as shares of their bounds, beyond noise
    bits       the same examples give other bits, as accurate as before

    \b
    rnn-conformance compare before/keras-jax.jsonl after/keras-jax.jsonl
    rnn-conformance compare pinned conformance-report --format markdown
    rnn-conformance compare before after --dtype float32
    rnn-conformance compare before after --fail-on meaning --fail-on bits

    Exit status: 0 nothing of what --fail-on says, 1 something of it, 2 wrong usage, or runs that cannot be compared: of
    another state of the suite, specification, profile or seed, or cut short.
    """
    if "none" in fail_on and len(fail_on) > 1:
        raise WrongUsage("--fail-on none goes with no other --fail-on")
    try:
        before, after = _by_name(old), _by_name(new)
    except ValueError as error:
        raise WrongUsage(error) from None
    except OSError as error:
        raise WrongUsage(f"{error.filename}: {error.strerror}") from None
    pairs = [(before[adapter], after[adapter]) for adapter in before if adapter in after]
    if old.is_file() and new.is_file():
        pairs = list(zip(before.values(), after.values(), strict=True))  # also of two adapters, to say why not
    alone = {
        f"only in {path}": missing
        for path, mine, theirs in ((old, before, after), (new, after, before))
        if not is_pinned(path) and (missing := [adapter for adapter in mine if adapter not in theirs])
    }
    if not pairs:
        pinned = [("pinned are", list(mine)) for path, mine in ((old, before), (new, after)) if is_pinned(path)]
        told = "; ".join(f"{where}: {', '.join(adapters)}" for where, adapters in (*alone.items(), *pinned))
        raise WrongUsage(f"there is nothing to compare, as no adapter is in both ({told})")
    comparisons, refused = [], []
    for pair in pairs:
        try:
            comparisons.append(compare_results(*pair, across_suites=across_suites, dtypes=dtypes))
        except NotComparable as reason:
            refused.append(f"{pair[1].header.name}: not comparable: {reason}")
    _show(comparisons, alone, refused, form)
    sys.exit(2 if refused else int(any(_fails(comparison, fail_on) for comparison in comparisons)))


def _by_name(path: Path) -> Mapping[str, Results]:
    """The results in a file or folder. Raises ValueError for none, damaged ones, and a name that comes twice."""
    found: dict[str, Results] = {}
    for results in load([path]):
        if other := found.get(results.header.name):
            raise ValueError(f"adapter {results.header.name} comes twice: in {other.path} and in {results.path}")
        found[results.header.name] = results
    return found


def _fails(comparison: Comparison, fail_on: Sequence[str]) -> bool:
    if "any" in fail_on:
        return bool(comparison.changes)
    return any(comparison.got_worse(kind) for kind in fail_on if kind in KINDS)


def _show(
    comparisons: Sequence[Comparison], alone: Mapping[str, Sequence[str]], refused: Sequence[str], form: str
) -> None:
    """Print all of it; what could not be compared is no less of a result."""
    notes = [*(f"{where}: {', '.join(adapters)}" for where, adapters in alone.items()), *refused]
    if form == "json":
        found = {"comparisons": [_as_json(each) for each in comparisons], "alone": alone, "refused": refused}
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    elif form == "markdown":
        echo_utf8("## What changed\n")
        echo_utf8("\n".join([*map(comparison_markdown, comparisons), *(f"> {escape(note)}\n" for note in notes)]))
    else:
        console = Console()
        for comparison in comparisons:
            console.print(TerminalComparison(comparison))
        for note in notes:
            console.print(text_of(note, "bold red" if note in refused else "dim"))


def _as_json(comparison: Comparison) -> dict[str, object]:
    return {**dataclasses.asdict(comparison), "outcome": comparison.outcome}
