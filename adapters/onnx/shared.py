"""What the adapters on ONNX share: what the operators have and lack, and the adapter itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.inlining import example, examples
from rnn_conformance.adapters.onnx.network import FED, NOT_COUNTED, OnnxNetwork, Runtime
from rnn_conformance.adapters.onnx.script import script
from rnn_conformance.adapters.protocol import Network
from rnn_conformance.adapters.support import refuse_unsupported, versions
from rnn_conformance.reference.model.architecture import Architecture, Choices

_NO_GRADIENTS = "ONNX describes calls of a trained model: gradients and training are for where it came from"
_NO_MASK = "the operators take sequence_lens, one length for each sequence, and no mask"
_NO_DROPOUT = "the operators have no dropout, and are run outside training"

UNSUPPORTED = {
    "single sequence": "X of the operators has an axis for the batch",
    "parameter count": NOT_COUNTED,
    "mask": _NO_MASK,
    "mask_zero": _NO_MASK,
    "merge modes": "Y of a bidirectional operator has its directions side by side: what joins them is another operator",
    "stateful": "a runtime keeps no state from call to call: its users give Y_h to the next call as initial_h",
    "gradients": _NO_GRADIENTS,
    "double backward": _NO_GRADIENTS,
    "training step": _NO_GRADIENTS,
    "dropout": _NO_DROPOUT,
    "recurrent dropout": _NO_DROPOUT,
    "projection": "the operator LSTM has none",
    "mixed precision": "all that an operator reads is of one type, and so is what it gives",
    "lstm recurrent bias none": "B of the operator LSTM holds two biases, or there is none",
    "lstm forget bias 1.0": "the operator LSTM adds nothing to the forget gate: its users keep a bias",
    "gru recurrent bias candidate": "B of the operator GRU holds two biases for each gate",
    "gru recurrent bias none": "B of the operator GRU holds two biases, or there is none",
    "gru keep 1-z": "in the operator GRU it is z that keeps the state",
}
"""What the operators lack, whatever runs them."""


@dataclass(frozen=True)
class OnnxAdapter:
    """An adapter of a runtime: what it says, how it runs a model, and the lines of a script that do so.

    `requires` are the modules that it imports, `running` gives the imports and the lines of script.py.
    """

    requires: tuple[str, ...]
    description: Callable[[], Description]
    runtime: Runtime
    running: Callable[[Architecture], tuple[Sequence[str], Sequence[str]]]

    def describe(self) -> Description:
        return self.description()

    def prepare(self, architecture: Architecture) -> Network:
        refuse_unsupported(self.description(), architecture)
        return OnnxNetwork(architecture, self.runtime)

    def script(self, architecture: Architecture, wants: str) -> str:
        return script(architecture, wants, *self.running(architecture))


def describe(
    framework: str, packages: tuple[str, ...], plain: str, notes: Mapping[str, str], **own: Any
) -> Description:
    """The description of a runtime; `plain` is the plain module with its examples, `own` what else is its own."""
    offers = ("symbolic state shapes", "lengths", "backward", "bidirectional")
    return Description(
        **{
            "framework": framework,
            "versions": versions(*packages),
            "cells": ("simple_rnn", "lstm", "gru"),
            "offers": offers,
            "choices": Choices(padded_outputs="zero", backward_outputs="aligned"),
            "conventions": CONVENTIONS,
            "notes": {
                FED: "W, R and B are inputs of the model and not initializers, which a runtime may arrange anew",
                **notes,
            },
            "example": example(plain),
            "examples": examples(plain),
            **own,
            "unsupported": {**UNSUPPORTED, **own.get("unsupported", {})},
        }
    )


CONVENTIONS = {
    "W": "the operator's input `W`, `(directions, units, features)`",
    "U": "the operator's input `R`, `(directions, units, units)`",
    "b": "the first half of the operator's input `B`, `(directions, 2 * units)`",
    "orientation": "as they are",
    "gates": "LSTM i, o, f, c: o comes second, and c, our g, last; GRU z, r, h",
    "biases": "two, which are added: of an `RNN` the second half of `B` is loaded with zeros; of an `LSTM` and a `GRU` "
    "it is the recurrent bias c, of which `GRU` multiplies the rows of h by r if `linear_before_reset` is 1",
    "load": '`onnx.numpy_helper.from_array(array, "W")` among the initializers of a model',
    "read": "`onnx.numpy_helper.to_array(initializer)`",
    "time axis": "0; of `Y` as well, whose axis 1 is that of the directions; `layout=1` puts the batch first",
    "state": "`initial_h` and `Y_h`, `(directions, batch, units)`; of an `LSTM` `initial_c` and `Y_c`, too",
    "padding": "lengths: the operator's input `sequence_lens`, `(batch,)`",
    "backward": '`direction="reverse"`',
    "both directions": "the second entry of the first axis of `W`, `R` and `B`",
    "embedding": "an initializer that a `Gather` reads, `(tokens, features)`",
}
"""Where the operators keep what, whatever runs them."""
