"""Whether an exception is the framework's, or a mistake in the adapter's own code."""

from __future__ import annotations

import dis
import traceback
from pathlib import Path
from types import TracebackType

from rnn_conformance.adapters.function import FunctionAdapter
from rnn_conformance.adapters.protocol import Adapter

_MISTAKES = (AttributeError, ImportError, KeyError, NameError, TypeError)
"""What Python itself raises where code is wrong, whatever the data are.

A layer in the adapter's own file that adds up with NumPy, or element by element, refuses what does not fit with another
exception, such as ValueError or IndexError.
"""

_RAISE = dis.opmap["RAISE_VARARGS"]
"""The instruction of `raise`, and of `assert`."""


def home_of(adapter: Adapter) -> str:
    """The package that the adapter is written in, or the module, if that is in no package."""
    module: str = getattr(adapter.run if isinstance(adapter, FunctionAdapter) else type(adapter), "__module__", "")
    return module.rpartition(".")[0] or module


def mistake_in(error: BaseException, home: str) -> str:
    """Where the adapter made a mistake, as file and line; empty if the exception is a framework's, or meant.

    What an adapter raises on purpose stands for its framework. So it is a mistake only if Python raised it, in another
    instruction than `raise`, at a line of the adapter's package or of one that comes with this suite.
    """
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not isinstance(error, _MISTAKES) or _is_raise(last):
        return ""
    module = f"{last.tb_frame.f_globals.get('__name__', '')}."
    if not any(module.startswith(f"{own}.") for own in (home, "rnn_conformance") if own):
        return ""
    at = traceback.extract_tb(last)[-1]
    return f"{Path(at.filename).name}, line {at.lineno}: {at.line}"


def _is_raise(at: TracebackType) -> bool:
    return at.tb_frame.f_code.co_code[at.tb_lasti] == _RAISE
