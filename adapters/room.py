"""Room in a process: what frameworks compile stays in memory, so that it is dropped for what was not used for long."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class Releasing(Protocol):
    """A network that can do without what was compiled for it."""

    def release(self) -> None:
        """Drop it; the next call has it compiled again."""


class Recent:
    """The networks that were used last, at most so many: what drops out is released."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._networks: dict[int, Releasing] = {}

    def use(self, network: Releasing) -> None:
        self._networks.pop(id(network), None)
        self._networks[id(network)] = network
        if len(self._networks) > self._most:
            self._networks.pop(next(iter(self._networks))).release()


def mapped(maps: Path = Path("/proc/self/maps"), limit: Path = Path("/proc/sys/vm/max_map_count")) -> float:
    """The share that is taken of the memory mappings that Linux allows a process; 0 on systems that do not tell.

    A process has 65,530 of them where nobody has raised the limit, and each function that XLA compiles takes several.
    At the limit JAX and LLVM abort, or are killed by SIGSEGV.
    """
    if not (maps.exists() and limit.exists()):
        return 0.0
    return maps.read_bytes().count(b"\n") / int(limit.read_text())


def resident(pages: Path = Path("/proc/self/statm")) -> int:
    """How many bytes of memory this process holds; 0 on systems that do not tell."""
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0
