"""The network of an export of PyTorch's: modules that are exported to ONNX, and the models of ONNX that are run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.exports.kept import Exports
from rnn_conformance.adapters.onnx.network import Run
from rnn_conformance.adapters.protocol import Inputs, Lengths, Unsupported
from rnn_conformance.adapters.torch.model import build, is_native_stack, state_dict, weights_of
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State, StateShapes
from rnn_conformance.reference.model.weights import Array, Weights

LONGEST = 32
"""The most timesteps of an exported model: the exporter traces every step, and takes minutes for hundreds of them."""

_TOO_LONG = f"torch.onnx.export traces each timestep by itself: more than {LONGEST} are not tried"

TOKENS = ("int32", "int64")
"""The types of tokens that torch.nn.Embedding takes; a model that is made for the first is given any others, too."""

NO_SYMBOLIC_SHAPES = "a model is exported with names for what is open, and the runtime infers no shapes from these"
NOT_COUNTED = "a model of ONNX keeps arrays, among them such as no parameter is, and nobody counts them"

_EXPORTS = Exports()


class TorchExportNetwork:
    """Modules of PyTorch, exported again for what the exporter makes a constant of: the timesteps, or the batch, too.

    Every model gives all outputs and all final states; what of these is not asked for is cut off.
    """

    def __init__(self, architecture: Architecture, start: Callable[[Any, str], Run]) -> None:
        from rnn_conformance.adapters.exports.torch_example import whole

        self._architecture, self._start = architecture, start
        self._everything = replace(
            architecture, return_sequences=True, return_state=True, mode="eager", batch=None, timesteps=None
        )
        model: Any = build(self._everything)
        self._module: Any = whole(model["layers"], model["embedding"] if architecture.embedding else None)
        self._ready: dict[Any, tuple[Any, Run]] = {}
        self._exported(
            2, architecture.timesteps or 4, TOKENS[0], started=False
        )  # so that what is refused is refused now

    def load(self, weights: Weights) -> None:
        self._module.load_state_dict(state_dict(self._everything, weights))
        self._ready.clear()

    def weights(self) -> Weights:
        """Those that a model of ONNX keeps."""
        from rnn_conformance.adapters.exports.torch_example import parameters_in
        from rnn_conformance.adapters.torch.arrays import tensor

        model, _ = self._made(2, self._architecture.timesteps or 4, TOKENS[0], started=False)
        return weights_of(self._everything, {name: tensor(array) for name, array in parameters_in(model).items()})

    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        states = self._states(initial_state)
        batch, timesteps = inputs.shape[:2]
        _, run = self._made(batch, timesteps, inputs.dtype.name, started=initial_state is not None)
        names = ["x", *(f"state_{k}" for k in range(len(states)))]
        outputs, *final = run(dict(zip(names, [inputs, *states], strict=True)))
        state = self._nested(final)
        if not self._architecture.return_sequences:
            both = self._architecture.layers[-1].is_bidirectional
            outputs = np.concatenate([parts[0] for parts in state[-1]], -1) if both else outputs[:, -1]
        return Output(outputs, state if self._architecture.return_state else None)

    def parameter_count(self) -> int:
        raise NotImplementedError(NOT_COUNTED)

    def symbolic_shape(self) -> tuple[int | None, ...]:
        raise NotImplementedError(NO_SYMBOLIC_SHAPES)

    def symbolic_state_shapes(self) -> StateShapes:
        raise NotImplementedError(NO_SYMBOLIC_SHAPES)

    def _made(self, batch: int, timesteps: int, tokens: str, *, started: bool) -> tuple[Any, Run]:
        """The model for such a call with the weights that are loaded, and what runs it."""
        from rnn_conformance.adapters.exports.torch_example import with_parameters

        tokens = tokens if self._architecture.embedding and tokens in TOKENS else TOKENS[0]
        key = (started, timesteps, tokens, batch if self._architecture.mode == "fixed" else None)
        if key not in self._ready:
            model = self._exported(batch, timesteps, tokens, started=started)
            model = with_parameters(model, self._module.state_dict())
            self._ready[key] = model, self._start(model, "")
        return self._ready[key]

    def _exported(self, batch: int, timesteps: int, tokens: str, *, started: bool) -> Any:
        """A copy of the model of ONNX of these modules, with tokens of this type.

        Raises Unsupported for what the exporter refuses.
        """
        import torch

        from rnn_conformance.adapters.exports.torch_example import exported

        is_open = self._architecture.mode == "open-batch"
        # The weights are others with each load, and so is the way what is returned is cut.
        key = (self._everything, self._architecture.mode, started, timesteps, tokens, None if is_open else batch)

        def make() -> Any:
            if timesteps > LONGEST:
                raise Unsupported(_TOO_LONG)
            # A batch that is open is another one in the example than in the call.
            size, axes = max(2, batch + 1) if is_open else batch, None
            given = self._example(size, timesteps, tokens, started=started)
            if is_open:
                axis = torch.export.Dim("batch")
                axes = [{0: axis}, *({1: axis} for _ in given[1:])]
            try:
                return exported(self._module, given, axes)
            except torch.onnx.OnnxExporterError as error:
                told = " ".join(str(error).split())
                raise Unsupported(f"torch.onnx.export refuses it: {told[-300:]}") from error

        kept = _EXPORTS.get(key, make)
        copy = type(kept)()
        copy.CopyFrom(kept)
        return copy

    def _example(self, batch: int, timesteps: int, tokens: str, *, started: bool) -> list[Any]:
        """Zeros of these sizes: x, or tokens, and the state of each module."""
        import torch

        layers = self._architecture.layers
        if self._architecture.embedding:
            x = torch.zeros(batch, timesteps, dtype=getattr(torch, tokens))
        else:
            x = torch.zeros(batch, timesteps, layers[0].features)
        if not started:
            return [x]
        shapes = [
            (module.num_layers * (1 + module.bidirectional), batch, module.hidden_size)
            for module in self._module.layers
            for _ in layers[0].cell.parts
        ]
        return [x, *(torch.zeros(*shape) for shape in shapes)]

    def _states(self, state: State | None) -> list[Array]:
        """The state of each module as PyTorch has it: each part with its layers and directions stacked."""
        if state is None:
            return []
        modules = [state] if is_native_stack(self._everything) else [(layer,) for layer in state]
        found: list[Array] = []
        for layers in modules:
            directions = [parts for layer in layers for parts in layer]
            found += (np.stack(part) for part in zip(*directions, strict=True))
        return found

    def _nested(self, arrays: Sequence[Array]) -> State:
        """The inverse, of what a model gives."""
        layers, rest = self._architecture.layers, iter(arrays)
        modules = [layers] if is_native_stack(self._everything) else [(layer,) for layer in layers]
        found: list[Any] = []
        for each in modules:
            parts = [next(rest) for _ in each[0].cell.parts]
            directions = list(zip(*parts, strict=True))
            width = 1 + each[0].is_bidirectional
            found += (tuple(directions[k : k + width]) for k in range(0, len(directions), width))
        return tuple(found)
