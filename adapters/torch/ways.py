"""The ways to run torch's layers: as they are, loaded from a file, exported, without oneDNN; and as cells."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rnn_conformance.adapters.protocol import Lengths
from rnn_conformance.adapters.torch.arrays import tensor
from rnn_conformance.adapters.torch.model import build, is_native_stack
from rnn_conformance.adapters.torch.network import TorchNetwork
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.weights import Weights

if TYPE_CHECKING:
    from rnn_conformance.adapters.torch.arrays import Tensor, Tensors


class SequenceNetwork(TorchNetwork):
    """torch.nn.RNN: one for all layers (`num_layers`) if they are alike, and else one for each."""

    def _apply(self, x: Tensor, states: Tensors | None, lengths: Lengths | None) -> tuple[Tensor, Tensors]:
        import torch

        from rnn_conformance.adapters.torch.example import parts, stacked, unstacked

        rnns = self._model["layers"]
        given: list[Any] = [None] * len(rnns)
        if states is not None:
            one = is_native_stack(self._architecture)
            stacks = [[h for layer in states for h in layer]] if one else states
            given = [stacked([_theirs(h) for h in stack]) for stack in stacks]
        y: Any = x
        if lengths is not None:
            y = torch.nn.utils.rnn.pack_padded_sequence(x, tensor(lengths), batch_first=True, enforce_sorted=False)
        final: list[Sequence[Sequence[Tensor]]] = []
        for rnn, h_0 in zip(rnns, given, strict=True):
            y, h_n = self._call(rnn, y, h_0)
            each, directions = [parts(h) for h in unstacked(h_n)], 2 if rnn.bidirectional else 1
            final += [each[k : k + directions] for k in range(0, len(each), directions)]
        if lengths is not None:
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        return y, final

    def _call(self, rnn: Any, x: Any, h_0: Any) -> Any:
        """Outputs and h_n of one module, from a tensor or a packed sequence; or, for h_n, a tuple with c_n."""
        return rnn(x, h_0)


def _theirs(state: Sequence[Tensor]) -> Any:
    """The state of one direction as torch has it: a tensor, or a tuple where there are several parts."""
    return state[0] if len(state) == 1 else tuple(state)


class ReloadedNetwork(SequenceNetwork):
    """Each load ends with a new model that has read the state dict which the old one saved."""

    def load(self, weights: Weights) -> None:
        import torch

        super().load(weights)
        file = BytesIO()
        torch.save(self._model.state_dict(), file)
        file.seek(0)
        self._model = build(self._architecture)
        self._model.load_state_dict(torch.load(file, weights_only=True))


class ExportedNetwork(SequenceNetwork):
    """torch.export of each torch.nn.RNN, again for each shape: it makes a constant of the number of timesteps.

    The program shares its parameters with the module that it came from, and so sees what is loaded later.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self._programs: dict[Any, Any] = {}

    def _call(self, rnn: Any, x: Any, h_0: Any) -> Any:
        import torch

        from rnn_conformance.adapters.torch.example import each_part

        key = rnn, x.shape, h_0 is None
        if key not in self._programs:
            example = x.detach(), None if h_0 is None else each_part(lambda part: part.detach(), h_0)
            with _export_warnings_ignored():
                self._programs[key] = torch.export.export(rnn, example).module()
        return self._programs[key](x, h_0)


@contextmanager
def _export_warnings_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        # torch's own layer assigns these at each call, and torch.export warns of it.
        warnings.filterwarnings("ignore", r"The tensor attributes self\._flat_weights", UserWarning)
        yield


class OpenlyExportedNetwork(ExportedNetwork):
    """torch.export of each torch.nn.RNN for every size of batch, from an example of another size than the call has."""

    def _call(self, rnn: Any, x: Any, h_0: Any) -> Any:
        from rnn_conformance.adapters.torch.example import exported_with_open_batch

        key = rnn, x.shape[1], h_0 is None
        if key not in self._programs:
            with _export_warnings_ignored():
                self._programs[key] = exported_with_open_batch(rnn, x, h_0)
        return self._programs[key](x, h_0)


class WithoutOnednnNetwork(SequenceNetwork):
    """The same layers where torch is told not to use oneDNN, which else has a kernel for a whole LSTM in float32."""

    @contextmanager
    def _settings(self) -> Iterator[None]:
        import torch

        with warnings.catch_warnings():
            # The flags of oneDNN set one of Intel's GPUs, too, and torch warns that it has none.
            warnings.filterwarnings("ignore", "TF32 acceleration on top of oneDNN", UserWarning)
            with torch.backends.mkldnn.flags(enabled=False):
                yield


class CellNetwork(TorchNetwork):
    """torch.nn.RNNCell, called once a timestep; in the mode ``compiled`` through torch.compile."""

    def __init__(self, architecture: Architecture) -> None:
        import torch

        super().__init__(architecture)
        self._cells: Sequence[Any] = list(self._model["layers"])
        if architecture.mode == "compiled":
            # All cells share one piece of code, and Dynamo quietly stops compiling after 8 versions of that, or 256 in
            # the whole process. One cell takes more than 8: with a state or without, for a batch of one or of more, for
            # no gradients or for some or all. With fullgraph, stopping would be an exception.
            torch._dynamo.config.accumulated_recompile_limit = sys.maxsize
            torch._dynamo.config.recompile_limit = sys.maxsize
            compile_module: Any = torch.compile  # its type lags behind its arguments
            self._cells = [
                compile_module(cell, fullgraph=True, dynamic=True, isolate_recompiles=True) for cell in self._cells
            ]

    def _apply(self, x: Tensor, states: Tensors | None, lengths: Lengths | None) -> tuple[Tensor, Tensors]:
        from rnn_conformance.adapters.torch.example import parts, stepped

        given = None if states is None else [[_theirs(h) for h in layer] for layer in states]
        y, final = stepped(self._cells, x, given)
        return y, [[parts(h) for h in layer] for layer in final]
