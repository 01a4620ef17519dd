"""The command ``rnn-conformance replay``: the example of a witness, run again."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click

from rnn_conformance.conformance.commands.console import format_option, timeout_option
from rnn_conformance.conformance.commands.errors import WrongUsage
from rnn_conformance.conformance.commands.files import WitnessPath
from rnn_conformance.conformance.commands.installed import check_installed
from rnn_conformance.conformance.commands.output import echo_utf8
from rnn_conformance.conformance.running.replay import replay as run_again
from rnn_conformance.conformance.witnesses.witness import read_witness
from rnn_conformance.reports.overview.verdicts import SEVERITY, SYMBOLS
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.records.records import CheckRecord, plain
from rnn_conformance.reports.renderings.markdown import escape, fenced

_STATUS = {"conforms": 0, "observed": 0, "fails": 1, "crashed": 1, "timed out": 1}
"""The exit status of a verdict; all others, such as unsupported, mean that the example was not run: 3."""


@click.command()
@click.argument("witnesses", nargs=-1, required=True, type=WitnessPath(exists=True, dir_okay=False, path_type=Path))
@click.option("--adapter", metavar="NAME", help="Run it with this adapter.  [default: that of the witness]")
@timeout_option
@format_option
def replay(witnesses: tuple[Path, ...], adapter: str | None, timeout: float, form: str) -> None:
    """Run the failing example of a witness again, to the bit, in a process of its own.

    WITNESS is a file that `run` left in the folder witnesses/, or the name of a known deviation (see `rnn-conformance
    deviations`). It holds all that is needed but the framework: weights, inputs, state and mask. With --adapter, the
    same example is given to another framework.

    \b
    rnn-conformance replay conformance-report/witnesses/torch--test_recurrence--float32-eager.json
    rnn-conformance replay conformance-report/witnesses/*.json --format json
    rnn-conformance replay conformance-report/witnesses/torch--*.json --adapter keras-jax
    rnn-conformance replay keras-jax-float64

    Exit status: 0 conforms, 1 does not, 2 wrong usage, 3 it could not be run. The gravest one counts.
    """
    found: list[tuple[Path, str, CheckRecord]] = []
    try:  # all of them, before anything is run
        if adapter:
            check_installed(adapter)
        names = [adapter or one.adapter for one in map(read_witness, witnesses)]
        for name in names:
            check_installed(name)
    except ValueError as error:
        raise WrongUsage(error) from None
    for witness, name in zip(witnesses, names, strict=True):
        checks = run_again(witness, name, timeout).checks
        record = min(checks, key=lambda each: SEVERITY.index(each.verdict))
        found.append((witness, name, record))
        if form == "pretty":
            click.echo(_pretty(witness, name, record))
        elif form == "markdown":
            echo_utf8(_markdown(witness, name, record))
    if form == "json":
        rows = [{"file": str(file), "adapter": name, **dataclasses.asdict(record)} for file, name, record in found]
        click.echo(json.dumps(plain(rows), indent=2, allow_nan=False))
    sys.exit(max(_STATUS.get(record.verdict, 3) for _, _, record in found))


def _pretty(witness: Path, adapter: str, record: CheckRecord) -> str:
    lines = [f"{SYMBOLS[record.verdict]} {record.verdict}: {record.check} with {adapter}"]
    lines += [f"  {line}" for line in record.message.splitlines()]
    lines += [f"  case: {record.case}"] if record.case else []
    return shown("\n".join([*lines, f"  witness: {witness}"]))


def _markdown(witness: Path, adapter: str, record: CheckRecord) -> str:
    title = f"{SYMBOLS[record.verdict]} **{record.verdict}**: {escape(record.check)} with {escape(adapter)}"
    told = [record.message, record.case and f"case: {record.case}", f"witness: {witness}"]
    return f"{title}\n\n{fenced(chr(10).join(filter(None, told)))}\n"
