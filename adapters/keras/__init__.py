"""Keras on each of its backends, and Keras 2."""
