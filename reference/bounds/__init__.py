"""How far a right layer's numbers may lie from the specification's (BOUNDS.md)."""
