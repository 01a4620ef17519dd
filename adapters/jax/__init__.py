"""JAX alone: the recurrence under jax.lax.scan, and what all adapters on JAX share."""
