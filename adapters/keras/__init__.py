"""Keras on TensorFlow, PyTorch and JAX."""
