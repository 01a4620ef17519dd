"""PyTorch: torch.nn.RNN, LSTM and GRU, their cells stepped in a loop, and the same cells through torch.compile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.inlining import example, examples
from rnn_conformance.adapters.protocol import Network, Unsupported
from rnn_conformance.adapters.support import refuse_unsupported, versions
from rnn_conformance.adapters.torch.gates import KINDS
from rnn_conformance.adapters.torch.model import CELL_MODES, WITHOUT_ONEDNN, is_native_stack
from rnn_conformance.adapters.torch.network import NO_STATE_KEPT, NO_SYMBOLIC_SHAPES, TorchNetwork
from rnn_conformance.adapters.torch.script import script
from rnn_conformance.adapters.torch.transformed import (
    FunctionalNetwork,
    ParametrisedNetwork,
    VmappedNetwork,
    WeightNormedNetwork,
)
from rnn_conformance.adapters.torch.ways import (
    CellNetwork,
    ExportedNetwork,
    OpenlyExportedNetwork,
    ReloadedNetwork,
    SequenceNetwork,
    WithoutOnednnNetwork,
)
from rnn_conformance.reference.arithmetic.rounding import standard_precision, wider_sums
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Choices

_NO_SUCH_ACTIVATION = "torch.nn.RNN offers tanh and relu, and LSTM and GRU have tanh"
_NO_CHOICE = "the activations of torch.nn.LSTM and GRU are tanh and sigmoid"
_NO_MASK = "torch.nn.RNN takes lengths, as a packed sequence, and no masks"
_DROPOUT_BETWEEN_LAYERS = "torch.nn.RNN(dropout=) is one rate, for the inputs of all layers of a stack but the first"


_SELDOM = ("exported-open-batch", "vmapped", "functional", "parametrised", "weight-normed")


class TorchAdapter:
    """The bridge to PyTorch's recurrent layers; `script` writes the same call without this suite."""

    requires = ("torch",)
    packages = {"torch": "2.1"}  # noqa: RUF012 - the oldest version with what is used here

    def describe(self) -> Description:
        return _description()

    def prepare(self, architecture: Architecture) -> Network:
        import torch

        refuse_unsupported(_description(), architecture)
        for reason in _obstacles(architecture):
            raise Unsupported(reason)
        torch.set_num_threads(1)  # a thread pool costs small layers a factor of ten
        network: type[TorchNetwork] = {
            "eager": SequenceNetwork,
            "cells": CellNetwork,
            "compiled": CellNetwork,
            "reloaded": ReloadedNetwork,
            "exported": ExportedNetwork,
            WITHOUT_ONEDNN: WithoutOnednnNetwork,
            "exported-open-batch": OpenlyExportedNetwork,
            "vmapped": VmappedNetwork,
            "functional": FunctionalNetwork,
            "parametrised": ParametrisedNetwork,
            "weight-normed": WeightNormedNetwork,
        }[architecture.mode]
        return network(architecture)

    def script(self, architecture: Architecture, wants: str) -> str:
        return script(architecture, wants)


adapter = TorchAdapter()


@cache
def _description() -> Description:
    # Dynamo does not trace nn.RNN, so that a compiled nn.RNN is the eager one: what gets compiled is the cell. With
    # torch._dynamo.config.allow_rnn it does, but it unrolls the timesteps, at 2 seconds each. Compiling takes a C++
    # compiler. There is no way "scripted": torch.jit is deprecated, and cannot call a scripted nn.RNN by itself.
    has_compiler = any(shutil.which(name) for name in ("g++", "c++", "clang++"))
    return Description(
        framework="PyTorch",
        versions=versions("torch"),
        modes=("eager", "cells", "compiled") if has_compiler else ("eager", "cells"),
        ways=("reloaded", "exported", WITHOUT_ONEDNN, *_SELDOM),
        rounding=("weight-normed",),
        # Measured on x86-64 with AVX-512, torch 2.13.0: at every finite number of float16 and bfloat16, tanh is within
        # 0.5 ULP, in layers of 1 to 64 units, and sums are float32 (benchmarks/accumulation.py).
        precision={
            "float16": wider_sums("float16"),
            "bfloat16": wider_sums("bfloat16"),
            "float32": standard_precision("float32"),
            "float64": standard_precision("float64"),
        },
        cells=tuple(KINDS),
        activations=("tanh", "relu"),
        variants=(SimpleRnn("tanh"), SimpleRnn("relu"), Lstm(recurrent_bias="all"), Gru()),
        offers=(
            "lengths",
            "bidirectional",
            "gradients",
            "double backward",
            "training step",
            "dropout",
            "mixed precision",
            "projection",
        ),
        unsupported={
            "linear": _NO_SUCH_ACTIVATION,
            "sigmoid": _NO_SUCH_ACTIVATION,
            "symbolic shapes": NO_SYMBOLIC_SHAPES,
            "symbolic state shapes": NO_SYMBOLIC_SHAPES,
            "mask": _NO_MASK,
            "mask_zero": f"{_NO_MASK}; padding_idx of torch.nn.Embedding masks nothing: it keeps one row from training",
            "backward": "torch.nn.RNN runs forwards or in both directions",
            "merge modes": "a bidirectional torch.nn.RNN joins its directions by concatenation only",
            "stateful": NO_STATE_KEPT,
            "recurrent dropout": "torch.nn.RNN has none",
            "lstm relu": _NO_CHOICE,
            "lstm recurrent activation hard_sigmoid": _NO_CHOICE,
            "lstm recurrent activation hard_sigmoid_fifth": _NO_CHOICE,
            "lstm forget bias 1.0": "torch.nn.LSTM adds nothing to the forget gate: its users load a bias",
            "gru recurrent activation hard_sigmoid": _NO_CHOICE,
            "lstm recurrent bias none": "torch.nn.LSTM keeps two biases, or none",
            "gru relu": _NO_CHOICE,
            "gru reset before": "torch.nn.GRU multiplies with the reset gate after the product with U",
            "gru recurrent bias candidate": "torch.nn.GRU keeps a second bias for each gate",
            "gru recurrent bias none": "torch.nn.GRU keeps two biases, or none",
            "gru keep 1-z": "torch.nn.GRU keeps z of the output before",
        },
        choices=Choices(padded_outputs="zero", backward_outputs="aligned", dropout_mask="fresh"),
        conventions={
            "W": "`weight_ih_l{k}`, `(units, features)`",
            "U": "`weight_hh_l{k}`, `(units, units)`",
            "b": "`bias_ih_l{k}`, `(units,)`",
            "orientation": "as they are",
            "gates": "LSTM i, f, g, o; GRU r, z, n: z and r change places",
            "biases": "two, which are added: in `RNN`, `bias_hh_l{k}` is loaded with zeros, and `b` is read as their "
            "sum; in `LSTM` and `GRU` it is the recurrent bias c, of which `GRU` multiplies the rows of n by r",
            "load": "`rnn.load_state_dict({name: tensor})`",
            "read": "`rnn.state_dict()[name].numpy()`",
            "time axis": "1 with `batch_first=True`; by default 0, as for a single sequence",
            "state": "`(num_layers * directions, batch, units)`, the directions of a layer side by side; of an `LSTM` "
            "a tuple of two, h and c",
            "padding": "lengths: `pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)`, and "
            "`pad_packed_sequence(packed, batch_first=True, total_length=timesteps)`",
            "both directions": "the same names with `_reverse` at their end",
            "embedding": "`Embedding.weight`, `(tokens, features)`",
        },
        notes={
            "open batch": "`torch.export.export(rnn, (x, h_0), dynamic_shapes=({0: batch}, {1: batch}))`, with "
            '`batch = torch.export.Dim("batch")`; of the number of timesteps torch makes a constant',
            "vmapped": "`torch.vmap` of a loop of `RNNCell` or `GRUCell`: it knows neither `LSTMCell` nor the layers",
            "weight norm": "`torch.nn.utils.parametrizations.weight_norm` gives back kernels with other last bits than "
            "it was given, and NaN for a row of zeros",
            "projection": "`LSTM(proj_size=)`: P is `weight_hr_l{k}`, `(projection, units)`; `weight_hh_l{k}` has "
            "`projection` columns then, as outputs and h have, and c keeps `units`",
            "cells": "`RNNCell`, `LSTMCell` and `GRUCell` have `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`",
            "oneDNN": "on a CPU, `LSTM` runs a kernel of oneDNN in float32, and has other last bits under "
            "`torch.backends.mkldnn.flags(enabled=False)`, and when gradients are recorded",
            "training": "`bias_hh_l{k}` of `RNN` is frozen, with `requires_grad_(False)`: were both biases trained, a "
            "step would change their sum, which is `b`, by twice the rate times its gradient",
            "dropout": "`torch.nn.RNN(dropout=)`, which drops between layers and draws anew at each timestep",
            "mixed precision": '`torch.autocast("cpu")`, the parameters in float32',
        },
        example=example("torch/example.py"),
        examples=examples("torch/example.py"),
    )


def _obstacles(architecture: Architecture) -> Iterator[str]:
    """Why this architecture cannot be had, though each of its features is offered."""
    layers, mode = architecture.layers, architecture.mode
    dropout = any(layer.dropout for layer in layers)
    if mode in CELL_MODES:
        for feature, needed in (
            ("directions", any(layer.is_bidirectional for layer in layers)),
            ("lengths", architecture.masking == "lengths"),
            ("dropout", dropout),
        ):
            if needed:
                yield f"torch.nn.RNNCell makes one step, and knows no {feature}"
    if dropout and (layers[0].dropout or len({layer.dropout for layer in layers[1:]}) > 1):
        yield _DROPOUT_BETWEEN_LAYERS
    if dropout and not is_native_stack(architecture):
        yield "torch.nn.RNN has dropout between the layers of one stack, and these layers differ too much for that"
    for layer in layers:
        if isinstance(layer.cell, Lstm) and layer.cell.projection:
            if mode in CELL_MODES:
                yield "torch.nn.LSTMCell has no projection"
            if layer.cell.projection >= layer.units:
                yield "proj_size of torch.nn.LSTM is smaller than hidden_size"
    if architecture.masking == "lengths" and not architecture.batched:
        yield "torch.nn.utils.rnn.pack_padded_sequence takes batches only"
    if mode == "vmapped" and any(layer.cell.name == "lstm" for layer in layers):
        yield "torch.vmap has no batching rule for torch.nn.LSTMCell, nor for torch.nn.RNN, LSTM and GRU"
    if mode in ("vmapped", "exported-open-batch") and not architecture.batched:
        yield "a single sequence has no batch to run over, or to leave open"
    if mode.startswith("exported") and architecture.masking == "lengths":
        yield "torch.export cannot trace torch.nn.utils.rnn.pack_padded_sequence"
    if mode.startswith("exported") and dropout:
        yield "torch.export makes a constant of whether the model is in training"
    if architecture.weights_dtype and (architecture.weights_dtype, architecture.dtype) not in (
        ("float32", "bfloat16"),
        ("float32", "float16"),
    ):
        yield f"torch.autocast computes in float16 or bfloat16, from float32; not in {architecture.dtype}"
