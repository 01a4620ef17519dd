"""Equinox: its cells under jax.lax.scan."""
