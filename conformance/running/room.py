"""Whether a process has room for another check: what frameworks compile stays in memory."""

from __future__ import annotations

from rnn_conformance.adapters.room import mapped, resident

_SHARE = 0.25
"""So much of the memory mappings that a process may have may be taken between two checks (adapters/room.py)."""

_MOST = 3 * 2**30
"""So many bytes a process may hold between two checks: several run side by side."""


def is_short() -> bool:
    """Whether the process should end, and a fresh one go on."""
    return mapped() > _SHARE or resident() > _MOST
