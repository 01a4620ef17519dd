"""Plain modules as parts of scripts: what is inlined is ordinary code of this package, typed, tested and used by it.

An `example.py` of a framework has functions that load, read and run its layers, a function `example(W, U, b, x)`, and
perhaps one for another cell, such as `lstm_example`. The atlas shows the bodies of these, and the scripts of bug
reports call the others. A `porting.py` has bodies for the scripts that take a layer from one framework to another.
What a plain module imports of another one is inlined with it.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_OURS = "rnn_conformance.adapters."

_NOT_SHOWN = ("__future__", "typing", "collections.abc", "numpy.typing")
"""Imports that serve annotations, which a script has not."""


@dataclass(frozen=True, eq=False)
class _Function:
    """A function, and the plain module in which it is defined."""

    file: str
    node: ast.FunctionDef


def functions(file: str, code: str) -> str:
    """The functions of a plain module, such as ``torch/example.py``, that `code` uses, and those that they use."""
    return _shown(_used([(file, ast.parse(code))]))


@cache
def example(file: str, name: str = "example") -> str:
    """The example of a plain module as a script of its own: its imports, what it uses, and the body of `name`."""
    return joined([(file, name)])


def examples(file: str) -> dict[str, str]:
    """The examples of a plain module for cells other than the simple RNN, by the name of the cell."""
    return {cell: example(file, f"{cell}_example") for cell in ("lstm", "gru")}


def joined(parts: Sequence[tuple[str, str]]) -> str:
    """The bodies of several functions as one script, in this order; each is named with its plain module.

    What one of them leaves in a variable, a later one may read, as if it were given it. Raises ValueError where the
    script needs two functions of the same name.
    """
    bodies = [_defined(file)[name] for file, name in parts]
    used = _used((each.file, each.node) for each in bodies)
    shown = _shown(used)
    body = "\n\n".join(map(_body, bodies))
    modules = dict.fromkeys(each.file for each in (*bodies, *used))
    imports = "\n".join(_imports(modules, f"{shown}\n{body}"))
    return (f"{imports}\n\n\n{shown}\n\n\n{body}" if shown else f"{imports}\n\n{body}") + "\n"


def _used(starts: Iterable[tuple[str, ast.AST]]) -> Sequence[_Function]:
    """The functions that pieces of code use, and those that these use. Each piece sees the module that it comes with.

    They are in the order of the modules, and what a module imports is before it.
    """
    todo = list(starts)
    order = list(dict.fromkeys(each for file, _ in todo for each in _with_imported(file)))
    found: dict[str, _Function] = {}
    while todo:
        file, code = todo.pop()
        for name in _names(code) & _defined(file).keys():
            function = _defined(file)[name]
            if name not in found:
                found[name] = function
                todo.append((function.file, function.node))
            elif found[name] is not function:
                raise ValueError(f"{name} is a function of {found[name].file}, and another one of {function.file}")
    return sorted(found.values(), key=lambda each: (order.index(each.file), each.node.lineno))


def _shown(used: Sequence[_Function]) -> str:
    return "\n\n\n".join(_without_annotations(_text(each.file), each.node) for each in used)


def _body(function: _Function) -> str:
    """What a function does between its docstring and its last statement, which returns what it has done."""
    docstring, *_, end = function.node.body
    lines = _text(function.file).splitlines()[docstring.end_lineno or 0 : end.lineno - 1]
    return textwrap.dedent("\n".join(lines)).strip()


@cache
def _text(file: str) -> str:
    return files("rnn_conformance.adapters").joinpath(file).read_text(encoding="utf-8")


@cache
def _defined(file: str) -> Mapping[str, _Function]:
    """The functions of a plain module by name, and those that it imports of others."""
    found = {name: _defined(other)[name] for other, names in _imported(file).items() for name in names}
    own = (node for node in ast.parse(_text(file)).body if isinstance(node, ast.FunctionDef))
    return found | {node.name: _Function(file, node) for node in own}


@cache
def _imported(file: str) -> Mapping[str, Sequence[str]]:
    """The plain modules of which one imports functions, with the names of these."""
    return {
        f"{node.module.removeprefix(_OURS).replace('.', '/')}.py": [alias.name for alias in node.names]
        for node in ast.parse(_text(file)).body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_OURS)
    }


def _with_imported(file: str) -> Iterator[str]:
    """What a plain module imports, in turn with what that imports, and then itself."""
    for other in _imported(file):
        yield from _with_imported(other)
    yield file


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _imports(modules: Iterable[str], code: str) -> Sequence[str]:
    """The imports of plain modules that `code` needs, sorted as in a script."""
    used = _names(ast.parse(code))
    found = set[tuple[bool, str]]()
    for node in (node for file in modules for node in ast.parse(_text(file)).body):
        if isinstance(node, ast.Import | ast.ImportFrom) and not _is_not_shown(node):
            names = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            if used & names:
                found.add((isinstance(node, ast.ImportFrom), ast.unparse(node)))
    return [statement for _, statement in sorted(found)]


def _is_not_shown(node: ast.Import | ast.ImportFrom) -> bool:
    module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
    return module in _NOT_SHOWN or module.startswith(_OURS)


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
