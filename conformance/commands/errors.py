"""How a command ends where it cannot do what was asked: the errors that the command line tells, and their status."""

from __future__ import annotations

import click

from rnn_conformance.reports.records.harmless import shown


class WrongUsage(click.UsageError):
    """Status 2. What it tells may come from a file, so nothing of it is obeyed by a terminal."""

    def __init__(self, reason: object) -> None:
        super().__init__(shown(str(reason)))


class DidNotWork(click.ClickException):
    """Status 3: the usage is right, but what was asked for could not be done. Told as harmlessly."""

    exit_code = 3

    def __init__(self, reason: object) -> None:
        super().__init__(shown(reason_of(reason) if isinstance(reason, OSError) else str(reason)))


def reason_of(error: OSError) -> str:
    """What the system says, with the file that it is about, if there is one."""
    what = error.strerror or str(error)
    return what if error.filename is None else f"{error.filename}: {what}"
