"""The command ``rnn-conformance replay``: the example of a witness, run again."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from rnn_conformance.adapters.description import DTYPES
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import dtypes_of, every_check
from rnn_conformance.conformance.commands.console import format_option, timeout_option
from rnn_conformance.conformance.commands.errors import WrongUsage
from rnn_conformance.conformance.commands.files import WitnessPath
from rnn_conformance.conformance.commands.installed import check_installed
from rnn_conformance.conformance.commands.output import echo_utf8
from rnn_conformance.conformance.running.replay import replay as run_again
from rnn_conformance.conformance.running.results import REPLAY
from rnn_conformance.conformance.witnesses.converting import in_dtype
from rnn_conformance.conformance.witnesses.deviations import frozen_file
from rnn_conformance.conformance.witnesses.witness import Witness, read_witness
from rnn_conformance.reports.overview.verdicts import SEVERITY, SYMBOLS
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.records.records import CheckRecord, plain
from rnn_conformance.reports.renderings.markdown import escape, fenced

_STATUS = {"conforms": 0, "observed": 0, "fails": 1, "crashed": 1, "timed out": 1}
"""The exit status of a verdict; all others, such as unsupported, mean that the example was not run: 3."""


@click.command()
@click.argument("witnesses", nargs=-1, required=True, type=WitnessPath(exists=True, dir_okay=False, path_type=Path))
@click.option("--adapter", metavar="NAME", help="Run it with this adapter.  [default: that of the witness]")
@click.option("--dtype", type=click.Choice(DTYPES), help="Run it in this dtype.  [default: that of the witness]")
@click.option(
    "--script",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.py",
    help="Write a script of the framework alone that shows the failure, for a bug report. Nothing is written over.",
)
@timeout_option
@format_option
def replay(
    witnesses: tuple[Path, ...], adapter: str | None, dtype: str | None, script: Path | None, timeout: float, form: str
) -> None:
    """Run the failing example of a witness again, to the bit, in a process of its own.

    WITNESS is a file that `run` left in the folder witnesses/, or the name of a known deviation (see `rnn-conformance
    deviations`). It holds all that is needed but the framework: weights, inputs, state and mask. With --adapter, the
    same example is given to another framework; with --dtype, its numbers are given to a layer of another dtype, and
    what had to be rounded for that is said.

    With --script, it becomes a script that needs NumPy and the framework alone, for the framework's maintainers: the
    call that shows the failure, and what there should be. It is run once, and written only if it shows the failure too.
    Where there can be none, such as of what takes several calls, the reason is said.

    \b
    rnn-conformance replay conformance-report/witnesses/torch--test_recurrence--float32-eager.json
    rnn-conformance replay conformance-report/witnesses/*.json --format json
    rnn-conformance replay conformance-report/witnesses/torch--*.json --adapter keras-jax
    rnn-conformance replay keras-jax-float64 --dtype float32
    rnn-conformance replay keras-jax-float64 --script float64.py

    Exit status: 0 conforms, 1 does not, 2 wrong usage, 3 it could not be run, or no script was written of it. The
    gravest one counts.
    """
    found: list[Replayed] = []
    if script and len(witnesses) > 1:
        raise WrongUsage(f"--script writes one file: name one witness, and not {len(witnesses)}")
    if script and script.exists():
        raise WrongUsage(f"{script} is there already, and nothing is written over: name another file with --script")
    try:  # all of them, before anything is run
        if adapter:
            check_installed(adapter)
        given = [_in_dtype(one, dtype) for one in map(read_witness, witnesses)]
        names = [adapter or one.adapter for one, _ in given]
        for name in names:
            check_installed(name)
    except ValueError as error:
        raise WrongUsage(error) from None
    for file, (witness, rounded), name in zip(witnesses, given, names, strict=True):
        command = _command(file, adapter, dtype)
        again = run_again(witness, name, timeout, command if script else "")
        record = min(again.results.checks, key=lambda each: SEVERITY.index(each.verdict))
        if script:
            record = _with_script(record, again.script, script)
        found.append(Replayed(file, name, record, rounded, command if script else ""))
        if form == "pretty":
            click.echo(found[-1].pretty())
        elif form == "markdown":
            echo_utf8(found[-1].markdown())
    if form == "json":
        rows = [{**dataclasses.asdict(one.record), **one.told()} for one in found]
        click.echo(json.dumps(plain(rows), indent=2, allow_nan=False))
    sys.exit(max(one.status for one in found))


def _command(file: Path, adapter: str | None, dtype: str | None) -> str:
    """What runs this example again, with the deviation's name for its witness."""
    witness = file.stem if file == frozen_file(file.stem) else shlex.quote(str(file))
    options = [("--adapter", adapter), ("--dtype", dtype)]
    return " ".join([REPLAY, witness, *(f"{name} {value}" for name, value in options if value)])


def _with_script(record: CheckRecord, text: str, to: Path) -> CheckRecord:
    """Write the script, if there is one. Returns the record, which then says where it is, or why there is none."""
    if not text:
        reason = record.no_reproducer or f"the verdict is {record.verdict!r}, and a script shows what fails"
        return dataclasses.replace(record, reproducer_file="", no_reproducer=reason)
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("x", encoding="utf-8", errors="replace") as made:  # never over a file that has come in the meantime
        made.write(text)
    return dataclasses.replace(record, reproducer_file=str(to))


def _in_dtype(witness: Witness, dtype: str | None) -> tuple[Witness, Sequence[str] | None]:
    """The witness in this dtype, and which of its arrays were rounded; None for these if it is in its own dtype.

    Raises ValueError where its check is not run in that dtype.
    """
    if dtype is None or dtype == witness.dtype:
        return witness, None
    function = every_check().get(witness.check)
    if function is not None and dtype not in (run_in := dtypes_of(function, PROFILES["default"])):
        raise ValueError(f"{witness.check} is not run in {dtype}, but in {', '.join(run_in)}")
    return in_dtype(witness, dtype)


@dataclass(frozen=True)
class Replayed:
    """What came of the witness in a file, with this adapter.

    `rounded` are the arrays whose numbers had to be rounded to another dtype than its own; None in its own. `command`
    runs it again, and is there if a script of it was asked for.
    """

    file: Path
    adapter: str
    record: CheckRecord
    rounded: Sequence[str] | None
    command: str = ""

    @property
    def status(self) -> int:
        """The exit status."""
        lacks_script = bool(self.command) and not self.record.reproducer_file
        return 3 if lacks_script else _STATUS.get(self.record.verdict, 3)

    def pretty(self) -> str:
        record = self.record
        lines = [f"{SYMBOLS[record.verdict]} {record.verdict}: {record.check} with {self.adapter}"]
        lines += [f"  {line}" for line in record.message.splitlines()]
        return shown("\n".join([*lines, *(f"  {line}" for line in self._where())]))

    def markdown(self) -> str:
        record = self.record
        title = f"{SYMBOLS[record.verdict]} **{record.verdict}**: {escape(record.check)} with {escape(self.adapter)}"
        told = [record.message, *self._where()]
        return f"{title}\n\n{fenced(chr(10).join(filter(None, told)))}\n"

    def told(self) -> dict[str, object]:
        """What the record does not have, for JSON."""
        return {"file": str(self.file), "adapter": self.adapter, "rounded": self.rounded}

    def _where(self) -> Iterator[str]:
        if self.record.case:
            yield f"case: {self.record.case}"
        if self.rounded is not None:
            kept = f"{', '.join(self.rounded)}: rounded to {self.record.dtype}"
            yield kept if self.rounded else f"all numbers are those of the witness, in {self.record.dtype}"
        yield f"witness: {self.file}"
        if self.record.reproducer_file:
            yield f"without this suite: python {self.record.reproducer_file}"
        elif self.command:
            yield f"no script was written: {self.record.no_reproducer}"
            if self.record.verdict in ("fails", "crashed", "timed out"):
                yield f"instead, give this command: {self.command}"
