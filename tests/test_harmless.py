"""Text, names and paths from results files do no harm."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from example_results import HOSTILE_NAMES, failing

from rnn_conformance.reports.overview.wording import evidence
from rnn_conformance.reports.records.harmless import file_name, safe, safe_relative, shown
from rnn_conformance.reports.renderings.markdown import escape, fenced


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("naïve [0]\n\tü 한", "naïve [0]\n\tü 한"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\rb\x00\x9b\x7f", r"a\rb\x00\x9b\x7f"),
        ("\u202eabc\u2028", r"\u202eabc\u2028"),
        ("\ud800 \uffff", r"\ud800 \uffff"),
    ],
)
def test_shown(text: str, harmless: str) -> None:
    """Letters of every language stay; what a terminal obeys, turns the text around or XML forbids is shown."""
    assert shown(text) == harmless


@pytest.mark.parametrize(
    "path", ["witnesses/torch--test_recurrence--float32-eager.json", "a.py", "a/b/c", "...a/..b", "-a/_b"]
)
def test_a_path_inside(path: str) -> None:
    """What the suite writes is taken as it is."""
    assert safe_relative(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "/",
            ".",
            "..",
            "a/..",
            "../a",
            "a/../../b",
            "a//b",
            "a/",
            "./a",
            "/etc/passwd",
            "//host/a",
            "\\\\host\\a",
        ),
        *("C:/a", "C:a", "file:///a", "javascript:alert(1)", "a\\..\\b", "~/a b", "a\nb", "a\x00", "%2e%2e/a", "a?b#c"),
        *("<script>", "a b", "ä", "a/\u202eb", "a/..."),
    ],
)
def test_no_path_inside(path: str) -> None:
    """Whatever could lead out of the folder, or is not what the suite writes, is no path."""
    assert safe_relative(path) is None


def test_safe() -> None:
    """Every file system takes it."""
    assert safe("keras jax/ü") == "keras_jax_"


def test_file_names_are_safe_and_apart() -> None:
    """A name is one part of a path on every system, and no two texts share one, whatever the case."""
    names = [file_name(text) for text in HOSTILE_NAMES]
    assert len({name.casefold() for name in names}) == len(HOSTILE_NAMES)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._~-]*", name) and len(name) <= 80 for name in names)
    assert not [name for name in names if re.match(r"(con|nul|com\d)(\.|$)", name)]
    assert [file_name(text) for text in ("torch", "keras-jax", "1.10")] == ["torch", "keras-jax", "1.10"]
    assert file_name(file_name("A")) != file_name("A"), "a name that was made is not taken for a plain one"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# title", r"\# title"),
        ("- item", r"\- item"),
        ("+ item", r"\+ item"),
        ("1. item", r"1\. item"),
        ("12) item", r"12\) item"),
        ("1.1 clause", "1.1 clause"),
        ("a - b # c", "a - b # c"),
        ("\x1b[31m", r"\\x1b\[31m"),
    ],
)
def test_markdown_begins_nothing(text: str, escaped: str) -> None:
    """Where a line or an item of a list begins with data, that is neither a heading, a list nor a control sequence."""
    assert escape(text) == escaped


def test_a_block_of_code_sends_nothing() -> None:
    """What a terminal would obey is shown there, too."""
    assert fenced("a\x1b[31m\n\tb\r") == "```text\na\\x1b[31m\n\tb\\r\n```"


@pytest.mark.parametrize("path", ["/etc/passwd", "../../secret.py", "C:\\evil.py", "javascript:alert(1)"])
def test_evidence_outside_of_the_folder(path: str) -> None:
    """No command is made of a path that leads elsewhere."""
    record = failing(witness_file=path, reproducer_file=path, replay=f"rnn-conformance replay {path}")
    told = evidence(record, Path("results"))
    assert told == [
        f"run it again: rnn-conformance replay {path}",
        f"a script of the framework alone, outside of the results' folder: {path}",
    ]


def test_evidence_without_a_witness() -> None:
    """A command that names no file stays as it is."""
    record = failing(witness_file="", reproducer_file="", no_reproducer="", replay="rnn-conformance run torch --seed 7")
    assert evidence(record, Path("results")) == ["run it again: rnn-conformance run torch --seed 7"]
