"""Flax: the layers of Linen and of NNX."""
