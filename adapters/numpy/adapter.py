"""NumPy: the specification's own rules, computed in the dtype of the layer. The suite's check of itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rnn_conformance.adapters.description import EXTRAS, Description
from rnn_conformance.adapters.inlining import example, examples
from rnn_conformance.adapters.numpy.network import NumpyNetwork, ReloadedNetwork
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.support import refuse_unsupported
from rnn_conformance.reference.arithmetic.rounding import standard_precision, wider_sums
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer

PRECISION = {
    "float16": wider_sums("float16"),  # NumPy's products of float16 add up in float32, and round the sum
    "bfloat16": wider_sums("bfloat16"),
    "float32": standard_precision("float32"),
    "float64": standard_precision("float64"),
}


VARIANTS = (
    *(Lstm(), Lstm(recurrent_bias="all"), Lstm("relu", output_activation="relu"), Lstm(forget_bias=1.0)),
    *(Lstm(recurrent_activation="hard_sigmoid"), Lstm(recurrent_activation="hard_sigmoid_fifth")),
    *(Gru(), Gru(reset="before", recurrent_bias="none"), Gru("relu"), Gru(recurrent_bias="candidate")),
    *(Gru(keep="1-z"), Gru(reset="before"), Gru(recurrent_activation="hard_sigmoid")),
)
"""Of what can be chosen in a gated cell, each word at least once."""


@dataclass(frozen=True)
class NumpyAdapter:
    """The reference as a framework that has every feature; where the specification leaves a choice, it takes any."""

    choices: Choices = field(default_factory=Choices)

    def describe(self) -> Description:
        return Description(
            framework="NumPy (the reference)",
            versions={"numpy": np.__version__},
            ways=("reloaded",),
            cells=tuple(CELLS),
            variants=VARIANTS,
            precision=PRECISION,
            offers=EXTRAS,
            choices=self.choices,
            conventions={
                "W": "`LayerWeights.W`, `(units, features)`",
                "U": "`LayerWeights.U`, `(units, units)`",
                "b": "`LayerWeights.b`, `(units,)`",
                "orientation": "as they are",
                "gates": "LSTM i, f, g, o; GRU z, r, n",
                "biases": "one; of a GRU, and in a variant of the LSTM, a recurrent one, c, too",
                "load": '`LayerWeights({"W": W, "U": U, "b": b})`, which each call is given',
                "read": "the arrays as they are",
                "time axis": "1",
                "state": "`(batch, units)`, for each direction of each layer; of an LSTM h and c",
                "padding": "lengths `(batch,)`, or a mask `(batch, timesteps)`, true where a timestep is valid",
                "backward": '`Layer(direction="backward")`',
                "both directions": "`LayerWeights.backward`, a `LayerWeights` of its own",
                "embedding": "`Weights.embedding`, `(tokens, features)`",
            },
            notes={
                "bfloat16": "float32 products and sums, rounded at the end of each layer",
                "reloaded": "`np.savez` into memory, `np.load` without pickle",
            },
            example=example("numpy/example.py"),
            examples=examples("numpy/example.py"),
        )

    def prepare(self, architecture: Architecture) -> NumpyNetwork:
        refuse_unsupported(self.describe(), architecture)
        if architecture.is_masked and any(map(self._drops_in_cell, architecture.layers)):
            raise Unsupported("the loop that drops numbers within a cell knows no mask")
        network = ReloadedNetwork if architecture.mode == "reloaded" else NumpyNetwork
        return network(architecture, self.choices)

    def _drops_in_cell(self, layer: Layer) -> bool:
        """Whether numbers of the state are dropped, or of the inputs of each gate by itself."""
        return layer.recurrent_dropout != 0 or self.choices.masks(layer)[0] > 1


adapter = NumpyAdapter()
