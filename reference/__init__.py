"""What is right: the specification (SPEC.md), its NumPy code, and the bounds on rounding (BOUNDS.md)."""
