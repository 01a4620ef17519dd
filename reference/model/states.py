"""States: what a layer carries from one timestep to the next."""

from __future__ import annotations

from rnn_conformance.reference.model.weights import Array

LayerState = tuple[Array, ...]
"""The state of one layer: ``(h,)``, or ``(h forward, h backward)`` if it is bidirectional; each (batch, units)."""


State = tuple[LayerState, ...]
"""The state of a model: one `LayerState` for each layer, in order."""
