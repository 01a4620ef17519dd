"""The activations, and what a rounding is."""
