"""Floating-point flags, on which nothing here depends: numbers are checked for being finite, flags are not.

NumPy reads the processor's flags after each operation and warns of what it finds. The kernels of a BLAS set them for
numbers that nobody reads, too, such as the lanes of a vector register beyond the end of a row: a product of finite
numbers then warns of an invalid value, on one processor and not on another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def ignoring_flags(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, within which no operation warns or raises because of a flag, whatever its caller has set.

    What overflows is infinite and what has no value is NaN, as it is without a warning. (`np.errstate` as a decorator
    keeps what it restores in one place for all calls, in NumPy before 2.0: neither recursion nor threads could use it.)
    """

    @wraps(function)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return quiet
