"""The entry point of ``rnn-conformance``: the commands, or a word on what to install for them."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from rnn_conformance.conformance.commands.main import cli
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich", "jinja2", "markupsafe", "jsonschema", "matplotlib"):
            raise
        print(f"the command line needs {error.name}: pip install 'rnn-conformance[desk]'", file=sys.stderr)
        sys.exit(2)
    cli()
