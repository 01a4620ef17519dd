"""The group of commands, ``rnn-conformance``: each is imported when it is called, since some take a second for that."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from typing import Any

import click

from rnn_conformance.conformance.commands.errors import WrongUsage, reason_of
from rnn_conformance.conformance.commands.output import tolerate

COMMANDS = {
    "run": "Check adapters, each in a process of its own, and write a report.",
    "report": "Make one report of the results of several runs.",
    "compare": "Tell what changed between two runs.",
    "sweep": "Check a backend at every release of its packages.",
    "bisect": "Find the release with which a clause or a check came to another outcome.",
    "replay": "Run the failing example of a witness again.",
    "adapters": "List the registered adapters, and how to install what is missing.",
    "new-adapter": "Write an adapter that works, around a small layer in whose place yours goes.",
    "check-adapter": "Say quickly what is wrong with an adapter, with the file and the line of its own.",
    "spec": "Print the specification, or the clauses and chapters named.",
    "atlas": "Print where W, U and b are kept in each framework.",
    "port": "Write SOURCE in another framework, load its weights, and prove that its recurrent layers compute the same",
    "deviations": "Print the known deviations.",
    "selftest": "Check the checks.",
    "vectors": "Write a set of cases: weights, inputs, what should come out, and the proven bound of each element.",
    "schema": "Print a JSON Schema, of JSON Schema 2020-12.",
}
"""Each command with what it is for; it is the function of that name, with _ for -, in the module of that name."""

SWEEP = ("unearth", "uv")
"""The modules of the extra `sweep` that are not of the desk."""

DESK = ("filelock", "jinja2", "jsonschema", "markupsafe", "matplotlib", "platformdirs", "rich", "safetensors")
"""The modules of the extra `desk`."""


class Commands(click.Group):
    """A group that imports a command when it is needed, and tells of a full disk or a missing library in a line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which they are told."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name. Raises WrongUsage where a library of the desk is missing."""
        if cmd_name not in COMMANDS:
            return None
        try:
            name = cmd_name.replace("-", "_")
            module = importlib.import_module(f"rnn_conformance.conformance.commands.{name}")
        except ModuleNotFoundError as error:
            library = (error.name or "").partition(".")[0]
            if library not in (*DESK, *SWEEP):
                raise
            extra = "sweep" if library in SWEEP else "desk"
            raise WrongUsage(f"{cmd_name} needs {library}: pip install 'rnn-conformance[{extra}]'") from None
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line. What cannot be written or read ends with status 3."""
        tolerate(sys.stdout)
        tolerate(sys.stderr)
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            with suppress(OSError):  # where there is no room for that either
                click.echo(f"Error: {reason_of(error)}", err=True)
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for what Python flushes at its end
            sys.exit(3)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rnn-conformance")
def cli() -> None:
    """Check recurrent layers of different frameworks against one specification.

    \b
    rnn-conformance run                   every adapter that is installed
    rnn-conformance run torch keras-jax   two of them
    rnn-conformance compare OLD NEW       what an upgrade changes
    rnn-conformance replay WITNESS        a failing example, once more
    rnn-conformance COMMAND --help        what else a command can do
    """
