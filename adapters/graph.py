"""A user's model as steps: which layer reads what of which others, as far as this can be told without a framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rnn_conformance.adapters.canonical import Canonical

ACTIVATIONS = ("relu", "tanh", "sigmoid", "softmax")
"""What may come after a dense layer, or by itself."""

KINDS = ("recurrent", "final", "timestep", "embedding", "dense", "activation", "hole")


@dataclass(frozen=True, eq=False)
class Step:
    """One layer or operation; `reads` are the values that it is given: the inputs of the model first, then each step.

    A ``recurrent`` one puts out all outputs, ``final`` is its final output, of both directions joined, and ``timestep``
    the outputs at the last timestep. An ``embedding`` has the array ``table``, and masks zero if `options` say so, a
    ``dense`` one ``kernel`` (features, units) and perhaps ``bias``, an ``activation`` its `name`. A ``hole`` is
    whatever else there is: `name` says what. `masked_by` is the value of the tokens whose zeros are padding.
    """

    path: str
    kind: str
    reads: tuple[int, ...]
    name: str = ""
    canonical: Canonical | None = None
    arrays: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    masked_by: int | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """A model: for each input whether it is ``tokens`` or how many features it has, its steps, and which value it is.

    `timesteps` is there if the model takes so many and no others, `dropped` has what changes nothing out of training.
    Where the way between the layers could not be told, `untold` says why, and steps read nothing.
    """

    inputs: tuple[str | int, ...]
    steps: tuple[Step, ...]
    returns: tuple[int, ...]
    dropped: tuple[str, ...] = ()
    timesteps: int | None = None
    untold: str = ""
