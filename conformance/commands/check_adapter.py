"""The command ``rnn-conformance check-adapter``: whether an adapter is as it should be, before a run."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

import click

from rnn_conformance.conformance.commands.console import timeout_option
from rnn_conformance.conformance.commands.errors import WrongUsage
from rnn_conformance.conformance.commands.installed import check_installed, plain_name
from rnn_conformance.conformance.inspecting.inspection import Mistake
from rnn_conformance.conformance.running.trial import inspected
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.records.records import USUAL_CELL


@click.command(name="check-adapter")
@click.argument("adapter")
@timeout_option
def check_adapter(adapter: str, timeout: float) -> None:
    """Say quickly what is wrong with an adapter, with the file and the line of its own.

    ADAPTER is package.module:attribute, the manifest of a program in any language, or a registered name. Each thing
    that it says it has is tried once, but for mixed precision, in a process of its own: whether it is built, what it
    returns, and whether the numbers are within their bounds. `run` says how right a layer is; this, whether the adapter
    is ready for that.

    \b
    rnn-conformance check-adapter my_layer:adapter
    rnn-conformance check-adapter ./my-backend.toml

    Exit status: 0 nothing is wrong, 1 something is, 2 wrong usage, or something is not installed.
    """
    adapter = plain_name(adapter)
    try:
        check_installed(adapter)
    except ValueError as error:
        raise WrongUsage(error) from None
    found = inspected(adapter, timeout)
    for mistake in found.mistakes:
        click.echo(shown("\n".join(_lines(mistake))))
    if found.mistakes:
        count = len(found.mistakes)
        click.echo(f"{adapter}: {count} mistake{'s' if count > 1 else ''} in {found.calls} steps")
        sys.exit(1)
    click.echo(f"✓ {shown(found.who)}: nothing is wrong in {found.calls} steps")
    # Where nothing is said, `run` is about the simple RNN, which the adapter need not have.
    cells = "" if list(found.cells) == [USUAL_CELL] else "".join(f" --cell {cell}" for cell in found.cells)
    click.echo(f"  rnn-conformance run {adapter} --profile smoke{shown(cells)}")


def _lines(mistake: Mistake) -> Iterator[str]:
    yield f"✗ {mistake.where or mistake.what}"
    if mistake.where:
        yield f"  {mistake.what}"
    if mistake.model:
        yield f"  with {mistake.model}"
    if mistake.traceback:
        yield textwrap.indent(mistake.traceback, "  ")
    yield ""
