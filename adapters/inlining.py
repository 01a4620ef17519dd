"""Plain modules as parts of scripts: what is inlined is ordinary code of this package, typed, tested and used by it.

An `example.py` of a framework has functions that load, read and run its layers, a function `example(W, U, b, x)`, and
perhaps one for another cell, such as `lstm_example`. The atlas shows the bodies of these, and the scripts of bug
reports call the others.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from importlib.resources import files

_NOT_SHOWN = ("__future__", "typing", "collections.abc", "numpy.typing")
"""Imports that serve annotations, which a script has not."""


def functions(file: str, code: str) -> str:
    """The functions of a plain module, such as ``torch/example.py``, that `code` uses, and those that they use."""
    defined, text = _defined(file), _text(file)
    wanted, names = set[str](), _names(ast.parse(code))
    while new := (names & defined.keys()) - wanted:
        wanted |= new
        names = {name for each in new for name in _names(defined[each])}
    return "\n\n\n".join(_without_annotations(text, node) for name, node in defined.items() if name in wanted)


@cache
def example(file: str, name: str = "example") -> str:
    """The example of a plain module as a script of its own: its imports, what it uses, and the body of `name`."""
    text, node = _text(file), _defined(file)[name]
    docstring, *_, end = node.body
    lines = text.splitlines()[docstring.end_lineno or 0 : end.lineno - 1]
    body = textwrap.dedent("\n".join(lines)).strip()
    used = functions(file, body)
    imports = "\n".join(_imports(text, f"{used}\n{body}"))
    return (f"{imports}\n\n\n{used}\n\n\n{body}" if used else f"{imports}\n\n{body}") + "\n"


@cache
def _text(file: str) -> str:
    return files("rnn_conformance.adapters").joinpath(file).read_text(encoding="utf-8")


@cache
def _defined(file: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(_text(file)).body if isinstance(node, ast.FunctionDef)}


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _imports(text: str, code: str) -> Iterator[str]:
    """The imports of a module that `code` needs, as they stand."""
    used = _names(ast.parse(code))
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "") not in _NOT_SHOWN:
            names = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            if used & names:
                yield ast.unparse(node)


def _without_annotations(text: str, node: ast.FunctionDef) -> str:
    """The source of a function as one writes it in a script; its comments stay."""
    lines = text.splitlines()[: node.end_lineno]
    inner = [each for each in ast.walk(node) if isinstance(each, ast.FunctionDef)]
    for each in sorted(inner, key=lambda each: each.lineno, reverse=True):
        lines[each.lineno - 1 : each.body[0].lineno - 1] = [f"{' ' * each.col_offset}def {each.name}({_plain(each)}):"]
    return "\n".join(lines[node.lineno - 1 :])


def _plain(node: ast.FunctionDef) -> str:
    """The parameters of a function, without annotations."""
    arguments = deepcopy(node.args)
    for each in ast.walk(arguments):
        if isinstance(each, ast.arg):
            each.annotation = None
    return ast.unparse(arguments).replace("'", '"')
