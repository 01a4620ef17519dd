"""Room for what XLA compiles."""

from __future__ import annotations

from rnn_conformance.adapters.room import mapped

_SHARE = 0.5
"""So much of the memory mappings of a process may be taken before a network is prepared."""


def make_room() -> None:
    """Drop all that JAX has compiled where little room is left; what is called again is compiled again."""
    if mapped() > _SHARE:
        import jax

        jax.clear_caches()
