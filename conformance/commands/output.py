"""What is printed, whatever it is printed on: symbols that an encoding lacks are told in plain letters."""

from __future__ import annotations

import codecs
import unicodedata
from io import TextIOWrapper

import click

PLAIN = {
    **dict(zip("✓△✗◦–↯⊘○·", "+^xo-!#O.", strict=True)),  # noqa: RUF001 - the symbols of verdicts
    **dict(zip("—×−“”‘’", "-x-\"\"''", strict=True)),  # noqa: RUF001
    "…": "...",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
}
"""What is printed in place of what is not ASCII."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter) or _bare(letter) for letter in lacking), error.end


def _bare(letter: str) -> str:
    """The letter without its accents, or a question mark."""
    return unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode("ascii") or "?"


codecs.register_error("rnn_conformance.plain", _plain)


def tolerate(stream: object) -> None:
    """Let a text stream write plain letters where its encoding lacks a symbol, in place of an error."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="rnn_conformance.plain")


def echo_utf8(text: str) -> None:
    """Print a text that goes into a file, such as Markdown or XML: in UTF-8, whatever that of the terminal is."""
    click.echo(text.encode("utf-8", errors="replace"))
