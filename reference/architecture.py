"""What a model is: its layers and weights, what it is given and what it returns.

Everything here is a frozen dataclass over NumPy arrays. The words are those of SPEC.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

LayerState = tuple[Array, ...]
"""The state of one layer: ``(h,)`` for a simple RNN, each array ``(batch, units)``."""

State = tuple[LayerState, ...]
"""The state of a model: one `LayerState` for each layer, in order."""


@dataclass(frozen=True)
class Embedding:
    """A table with one row of `features` numbers for each of `tokens` tokens."""

    tokens: int
    features: int

    def __str__(self) -> str:
        return f"Embedding({self.tokens}, {self.features})"


@dataclass(frozen=True)
class Layer:
    """A cell run over time, from `features` numbers a timestep to `units` numbers a timestep."""

    features: int
    units: int
    activation: str = "tanh"
    use_bias: bool = True
    cell: str = "simple_rnn"

    def __str__(self) -> str:
        bias = "" if self.use_bias else ", no bias"
        return f"{self.cell}({self.features} -> {self.units}, {self.activation}{bias})"


@dataclass(frozen=True)
class Architecture:
    """All that an adapter needs to know in order to build a model; shapes of the input are not part of it.

    Raises ValueError where the layers do not fit one another.
    """

    layers: tuple[Layer, ...]
    embedding: Embedding | None = None
    dtype: str = "float32"
    return_sequences: bool = True
    return_state: bool = False
    batched: bool = True
    mode: str = "eager"

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("an architecture needs at least one layer")
        width = self.embedding.features if self.embedding else self.layers[0].features
        for k, layer in enumerate(self.layers):
            if layer.features != width:
                raise ValueError(f"layer {k} reads {layer.features} features but is given {width}")
            width = layer.units

    def __str__(self) -> str:
        parts = [str(part) for part in (self.embedding, *self.layers) if part is not None]
        returns = "all outputs" if self.return_sequences else "last output"
        state = " and state" if self.return_state else ""
        single = "" if self.batched else ", single sequence"
        return f"{' -> '.join(parts)}, {self.dtype}, {self.mode}, {returns}{state}{single}"


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Input kernel `W` (units, features), recurrent kernel `U` (units, units), bias `b` (units,) or None."""

    W: Array
    U: Array
    b: Array | None = None

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Each array with its name."""
        yield "W", self.W
        yield "U", self.U
        if self.b is not None:
            yield "b", self.b


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a model: one `LayerWeights` a layer, and the table (tokens, features) of its embedding."""

    layers: tuple[LayerWeights, ...]
    embedding: Array | None = None

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Each array with its name, such as ``layers[0].W``."""
        if self.embedding is not None:
            yield "embedding", self.embedding
        for k, layer in enumerate(self.layers):
            for name, array in layer.arrays():
                yield f"layers[{k}].{name}", array


@dataclass(frozen=True, eq=False)
class Output:
    """What a call returns.

    `outputs` is (batch, timesteps, units) or (batch, units), without the first axis for a single sequence;
    `final_state` is there if the architecture asks for it.
    """

    outputs: Array
    final_state: State | None = None
