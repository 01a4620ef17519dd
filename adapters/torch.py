"""PyTorch: torch.nn.RNN, torch.nn.RNNCell stepped in a Python loop, and the same cell through torch.compile."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.protocol import Description, Inputs, Network
from rnn_conformance.adapters.support import refuse_unsupported, versions, writeable
from rnn_conformance.reference.architecture import Architecture, Layer, LayerWeights, Output, State, Weights

if TYPE_CHECKING:
    import torch

_NO_SUCH_ACTIVATION = "torch.nn.RNN offers tanh and relu"
_NO_SYMBOLIC_SHAPES = "torch infers shapes from concrete tensors only"


class TorchAdapter:
    """Widths, activations and biases that all agree make one native stack (`num_layers`), others a layer each."""

    requires = ("torch",)

    def describe(self) -> Description:
        return _description()

    def prepare(self, architecture: Architecture) -> Network:
        import torch

        refuse_unsupported(_description(), architecture)
        torch.set_num_threads(1)  # a thread pool costs small layers a factor of ten
        return _SequenceNetwork(architecture) if architecture.mode == "eager" else _CellNetwork(architecture)


adapter = TorchAdapter()


@cache
def _description() -> Description:
    # Dynamo does not trace nn.RNN (torch._dynamo.explain finds no graph in it), so that a compiled nn.RNN is the eager
    # one: what gets compiled is the cell. That takes a C++ compiler.
    has_compiler = any(shutil.which(name) for name in ("g++", "c++", "clang++"))
    return Description(
        framework="PyTorch",
        versions=versions("torch"),
        modes=("eager", "cells", "compiled") if has_compiler else ("eager", "cells"),
        activations=("tanh", "relu"),
        unsupported={
            "linear": _NO_SUCH_ACTIVATION,
            "sigmoid": _NO_SUCH_ACTIVATION,
            "symbolic shapes": _NO_SYMBOLIC_SHAPES,
        },
        conventions={
            "W": "weight_ih_l{k}, (units, features); of a cell, weight_ih",
            "U": "weight_hh_l{k}, (units, units); of a cell, weight_hh",
            "b": "bias_ih_l{k}, (units,); the second bias, bias_hh_l{k}, is set to zero",
            "embedding": "Embedding.weight, (tokens, features)",
            "time axis": "1 with batch_first=True (the default is 0); 0 without a batch axis",
            "state": "h_0 and h_n, (num_layers, batch, units)",
            "load": "parameter.copy_(tensor) under torch.no_grad()",
            "read": "parameter.detach().numpy()",
        },
    )


class _Parameters(NamedTuple):
    """The parameters of one layer; both biases are None in a layer without."""

    W: torch.Tensor
    U: torch.Tensor
    b: torch.Tensor | None
    second_b: torch.Tensor | None


class _TorchNetwork:
    """Loading and reading, the same for layers and cells."""

    def __init__(self, architecture: Architecture, modules: Sequence[torch.nn.Module]) -> None:
        self._architecture = architecture
        self._table = _embedding(architecture)
        self._modules = modules
        self._layers = [parameters for module in modules for parameters in _parameters(module)]

    def load(self, weights: Weights) -> None:
        import torch

        with torch.no_grad():
            if self._table is not None:
                self._table.weight.copy_(_tensor(weights.embedding))
            for layer, given in zip(self._layers, weights.layers, strict=True):
                layer.W.copy_(_tensor(given.W))
                layer.U.copy_(_tensor(given.U))
                if layer.b is not None and layer.second_b is not None:
                    layer.b.copy_(_tensor(given.b))
                    layer.second_b.zero_()

    def weights(self) -> Weights:
        table = None if self._table is None else _read(self._table.weight)
        return Weights(tuple(_read_layer(layer) for layer in self._layers), table)

    def run(self, inputs: Inputs, *, initial_state: State | None = None) -> Output:
        import torch

        with torch.no_grad():
            x = _tensor(inputs)
            if self._table is not None:
                x = self._table(x)
            states = None if initial_state is None else [_tensor(h) for (h,) in initial_state]
            x, final = self._apply(x, states)
        outputs = x if self._architecture.return_sequences else x[..., -1, :]
        state = tuple((h.numpy(),) for h in final) if self._architecture.return_state else None
        return Output(outputs.numpy(), state)

    def parameter_count(self) -> int:
        modules = [*self._modules, *([] if self._table is None else [self._table])]
        return sum(p.numel() for module in modules for p in module.parameters())

    def symbolic_shape(self) -> tuple[int | None, ...]:
        raise NotImplementedError(_NO_SYMBOLIC_SHAPES)

    def _apply(self, x: torch.Tensor, states: list[torch.Tensor] | None) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        """The output sequence of the last layer, and the final state of each."""
        raise NotImplementedError


class _SequenceNetwork(_TorchNetwork):
    """torch.nn.RNN."""

    def __init__(self, architecture: Architecture) -> None:
        import torch

        def rnn(layer: Layer, num_layers: int) -> torch.nn.RNN:
            return torch.nn.RNN(
                layer.features, layer.units, num_layers, batch_first=True, **_options(layer, architecture)
            )

        layers = architecture.layers
        alike = len({(layer.units, layer.activation, layer.use_bias) for layer in layers}) == 1
        super().__init__(architecture, [rnn(layers[0], len(layers))] if alike else [rnn(layer, 1) for layer in layers])

    def _apply(self, x: torch.Tensor, states: list[torch.Tensor] | None) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        import torch

        final: list[torch.Tensor] = []
        stacks: Sequence[Any] = self._modules
        for rnn in stacks:
            h = None if states is None else torch.stack(states[len(final) : len(final) + rnn.num_layers])
            x, h_n = rnn(x, h)
            final.extend(h_n)
        return x, final


class _CellNetwork(_TorchNetwork):
    """torch.nn.RNNCell, called once a timestep."""

    def __init__(self, architecture: Architecture) -> None:
        import torch

        super().__init__(
            architecture,
            [
                torch.nn.RNNCell(layer.features, layer.units, **_options(layer, architecture))
                for layer in architecture.layers
            ],
        )
        self._cells: Sequence[Any] = self._modules
        if architecture.mode == "compiled":
            # All cells share one piece of code, and Dynamo quietly stops compiling after 8 versions of that, or 256 in
            # the whole process. Isolated, each cell has 8 of its own; with fullgraph, stopping is an exception.
            torch._dynamo.config.accumulated_recompile_limit = sys.maxsize
            compile_module: Any = torch.compile  # its type lags behind its arguments
            self._cells = [
                compile_module(cell, fullgraph=True, dynamic=True, isolate_recompiles=True) for cell in self._modules
            ]

    def _apply(self, x: torch.Tensor, states: list[torch.Tensor] | None) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        import torch

        final = []
        for k, cell in enumerate(self._cells):
            h = None if states is None else states[k]
            outputs = []
            for x_t in x.unbind(-2):
                h = cell(x_t, h)
                outputs.append(h)
            x = torch.stack(outputs, dim=-2)
            final.append(outputs[-1])
        return x, final


def _options(layer: Layer, architecture: Architecture) -> dict[str, Any]:
    import torch

    dtype = getattr(torch, architecture.dtype)
    return {"nonlinearity": layer.activation, "bias": layer.use_bias, "dtype": dtype}


def _embedding(architecture: Architecture) -> torch.nn.Embedding | None:
    import torch

    table = architecture.embedding
    if table is None:
        return None
    return torch.nn.Embedding(table.tokens, table.features, dtype=getattr(torch, architecture.dtype))


def _parameters(module: Any) -> Iterator[_Parameters]:
    """The parameters of each layer of a torch.nn.RNN, or of a torch.nn.RNNCell."""
    suffixes = [f"_l{k}" for k in range(module.num_layers)] if hasattr(module, "num_layers") else [""]
    for suffix in suffixes:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        parameters: list[Any] = [getattr(module, name + suffix, None) for name in names]
        yield _Parameters(*parameters)


def _tensor(array: Any) -> torch.Tensor:
    import torch

    return torch.from_numpy(writeable(array))


def _read(parameter: torch.Tensor) -> NDArray[np.floating]:
    """A copy, because the next `load` writes into the same memory."""
    return np.array(parameter.detach().numpy())


def _read_layer(layer: _Parameters) -> LayerWeights:
    if layer.second_b is not None and layer.second_b.any():
        raise RuntimeError("bias_hh was loaded as zeros, but is not zero any more")
    return LayerWeights(_read(layer.W), _read(layer.U), None if layer.b is None else _read(layer.b))
