"""Text, names and paths from results files do no harm."""

from __future__ import annotations

import re

import pytest
from example_results import HOSTILE_NAMES

from rnn_conformance.reports.harmless import file_name, safe, safe_relative, shown


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
