"""The same draws everywhere: what Hypothesis draws follows from the seed, and not from where packages are installed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar
from unittest.mock import patch

T = TypeVar("T")

_PROVIDERS = "hypothesis.internal.conjecture.providers"


@contextmanager
def from_the_seed_alone() -> Iterator[None]:
    """Keep Hypothesis from drawing numbers that it finds in source code outside of site-packages.

    Newer versions do so, and have no setting for it. With a framework that is installed in editable form, say, the same
    seed would give other cases than on other machines, and a comparison would take them for other bits.
    """
    try:
        providers = importlib.import_module(_PROVIDERS)
        nothing = providers.Constants()
    except (ImportError, AttributeError):  # an older version
        yield
        return
    with patch.object(providers, "_get_local_constants", lambda: nothing):
        yield


def without_a_key(test: T) -> T:
    """The same test, for which Hypothesis makes no key of its database: there is none, and the key takes long."""
    vars(test)["_hypothesis_internal_database_key"] = None
    return test
