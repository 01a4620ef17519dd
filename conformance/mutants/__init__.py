"""Layers that are wrong in one way each, one theme a file."""
