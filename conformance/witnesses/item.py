"""What there is to know of a check before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """What there is to know of a check before it runs."""

    check: str
    title: str
    clauses: Sequence[str]
    dtype: str
    mode: str

    @property
    def function(self) -> str:
        """The name of its function, without file, dtype and mode."""
        return self.check.split("::")[-1].split("[")[0]
