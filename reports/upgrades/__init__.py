"""Two runs of one backend: what changed."""
