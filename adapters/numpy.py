"""NumPy: the specification's own rules, computed in the dtype of the weights. The suite's check of itself."""

from __future__ import annotations

import numpy as np

from rnn_conformance.adapters.function import from_function
from rnn_conformance.adapters.protocol import Description
from rnn_conformance.reference import network

adapter = from_function(
    network.run,
    Description(
        framework="NumPy (the reference)",
        versions={"numpy": np.__version__},
        conventions={"W": "(units, features)", "U": "(units, units)", "b": "(units,)", "time axis": "1"},
    ),
)
