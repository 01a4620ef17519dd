"""Whether an adapter is as it should be: what it returns, raises and declares, with the place in its own code."""
