"""The command ``rnn-conformance report``, and the report that a run ends with."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console

from rnn_conformance.conformance.commands.console import report_format_option
from rnn_conformance.conformance.commands.errors import WrongUsage
from rnn_conformance.conformance.commands.files import ResultsPath
from rnn_conformance.conformance.commands.output import echo_utf8
from rnn_conformance.conformance.identity import suite_digest
from rnn_conformance.reports.documents.document import as_json
from rnn_conformance.reports.documents.loading import load
from rnn_conformance.reports.overview.history import split
from rnn_conformance.reports.overview.summary import Suite, exit_status, summarise
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.renderings.badges import write_badges
from rnn_conformance.reports.renderings.junit import junit
from rnn_conformance.reports.renderings.markdown import markdown
from rnn_conformance.reports.renderings.terminal import TerminalReport
from rnn_conformance.reports.site.site import write_site

_RENDER = {"markdown": markdown, "json": as_json, "junit": junit}


@click.command()
@click.argument("results", nargs=-1, required=True, type=ResultsPath(exists=True, path_type=Path))
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("conformance-report"),
    show_default=True,
    help="Folder for the page (index.html) and a badge of each backend (badges/).",
)
@report_format_option
def report(results: tuple[Path, ...], to: Path, form: str) -> None:
    """Make one report of the results of several runs; of a backend at several versions, a timeline, too.

    RESULTS are results files, or folders, at any depth, that hold them, or "pinned", those of the pinned versions. A
    file that is named twice counts once, and JSON lines in a folder that are no results are left out.

    \b
    rnn-conformance report results/ --to report
    rnn-conformance report keras-3.10/ keras-3.15/ --to history
    rnn-conformance report torch.jsonl keras-jax.jsonl --format markdown >> "$GITHUB_STEP_SUMMARY"
    rnn-conformance report results/ --format junit > junit.xml
    rnn-conformance report results/ --format json > report.json     (see: rnn-conformance schema)

    Exit status: 0 conforms, 1 does not, 2 wrong usage or damaged results, 3 a run did not work or was cut short.
    """
    try:
        status = read_and_show(results, form, to)
    except (ValueError, OSError) as error:
        raise WrongUsage(error) from None
    sys.exit(status)


def read_and_show(paths: Sequence[Path], form: str, folder: Path) -> int:
    """Read results, write the site and the badges into a folder, print the summary, and return the exit status.

    Of a backend at several versions, the summary and the status are those of the newest.

    Raises ValueError for results that are damaged or cannot be shown together, and OSError for what cannot be read or
    written.
    """
    results = load(paths, lambda path: click.echo(f"left out, since it holds no results: {shown(str(path))}", err=True))
    reader = Suite(version("rnn-conformance"), suite_digest())
    newest, _ = split(results)
    summary = summarise(newest, reader)
    page = write_site(results, folder, reader)
    write_badges(summary, folder)
    if form == "pretty":
        Console().print(TerminalReport(summary), crop=False)
    else:
        echo_utf8(_RENDER[form](summary))
    click.echo(f"The report: {page}", err=form != "pretty")
    return exit_status(newest)
