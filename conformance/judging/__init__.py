"""Numbers held against what is expected, element by element."""
