"""Where in an adapter's own code something happened: what returned it, or the lines that an exception went by."""

from __future__ import annotations

import ast
import inspect
import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rnn_conformance.adapters.function import FunctionAdapter
from rnn_conformance.adapters.pipe.adapter import ProcessAdapter
from rnn_conformance.adapters.protocol import Adapter

_SUITE = "rnn_conformance."


def method_of(adapter: Adapter, network: Any, method: str) -> Any:
    """The code that answers a method of the protocol; None where it is no code of Python."""
    if isinstance(adapter, ProcessAdapter):
        return None
    if isinstance(adapter, FunctionAdapter):
        return {"run": adapter.run, "gradients": adapter.differentiate}.get(method)
    return getattr(type(network if method not in ("describe", "prepare") else adapter), method, None)


def place_of(function: Any) -> str:
    """File, line and text of the last `return` of a function, or of its beginning; empty if it is not known."""
    try:
        plain = function if isinstance(function, type) else inspect.unwrap(function)
        lines, start = inspect.getsourcelines(plain)
        file = inspect.getsourcefile(plain) or ""
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):  # it was not read from a file
        return ""
    inner = [] if isinstance(function, type) else ast.walk(tree)
    returns = [node.lineno for node in inner if isinstance(node, ast.Return)]
    at = max(returns, default=1)
    return f"{_short(file)}, line {start + at - 1}, in {plain.__qualname__}: {lines[at - 1].strip()}"


def own_traceback(error: BaseException, home: str) -> str:
    """The traceback of an exception, but for what is not the adapter's own: frames of this suite and of frameworks.

    `home` is the package or module of the adapter. Empty where the exception went by none of its lines.
    """
    frames = [frame for frame, name in _frames(error.__traceback__) if _is_at(name, home)]
    if not frames and not isinstance(error, SyntaxError):
        return ""
    told = [*traceback.format_list(traceback.StackSummary.from_list(frames)), *traceback.format_exception_only(error)]
    return "".join(told).rstrip()


def _frames(at: TracebackType | None) -> Iterator[tuple[traceback.FrameSummary, str]]:
    """Each frame with the name of its module."""
    summaries = traceback.extract_tb(at)
    for summary in summaries:
        assert at is not None
        yield summary, str(at.tb_frame.f_globals.get("__name__", ""))
        at = at.tb_next


def _is_at(module: str, home: str) -> bool:
    """Whether a module is of the adapter's own package; of this suite's adapters, it is only their own folder."""
    if not home or (module.startswith(_SUITE) and not home.startswith(_SUITE)):
        return False
    return f"{module}.".startswith(f"{home}.")


def _short(file: str) -> str:
    """A path from here, if it is below here."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
