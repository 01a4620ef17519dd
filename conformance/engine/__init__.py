"""From a check and a subject to a verdict."""
