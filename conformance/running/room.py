"""Whether a process has room for more: what frameworks compile stays in memory, and a process may map only so much."""

from __future__ import annotations

from pathlib import Path

_SHARE = 0.25
"""So much of what is allowed may be used between two checks; one that crosses features can take as much again."""


def is_short(maps: Path = Path("/proc/self/maps"), limit: Path = Path("/proc/sys/vm/max_map_count")) -> bool:
    """Whether the memory mappings of this process come near to what Linux allows, at which JAX and LLVM abort.

    A process has 65,530 of them where nobody has raised the limit, and each function that XLA compiles takes several.
    False on systems that do not tell.
    """
    if not (maps.exists() and limit.exists()):
        return False
    used = maps.read_bytes().count(b"\n")
    return used > _SHARE * int(limit.read_text())
