"""The specification's own NumPy code as a subject."""
