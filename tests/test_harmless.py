"""Text, names and paths from results files do no harm."""

from __future__ import annotations

import pytest

from rnn_conformance.reports.harmless import file_names, safe, safe_relative, shown


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


def test_file_names() -> None:
    """Each name has a file of its own, on systems without regard to case too, and none is hidden or leads elsewhere."""
    names = ["torch", "a:b", "a_b", "A_B", "", "..", "../../etc/passwd", ".hidden", "x" * 999, "<script>"]
    found = file_names(names)
    assert found[:6] == ["torch", "a_b", "a_b-2", "A_B-3", "_", "_-2"]
    assert len({name.casefold() for name in found}) == len(names)
    for name in found:
        assert safe_relative(f"{name}.svg") == f"{name}.svg"
        assert not name.startswith(".")
        assert len(name) < 200
    assert safe("keras jax/ü") == "keras_jax_"
