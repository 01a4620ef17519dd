"""The equations, one cell a file."""
