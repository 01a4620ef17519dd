"""What all networks of torch modules share: loading, calling, differentiating and training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.adapters.torch.arrays import array, tensor
from rnn_conformance.adapters.torch.model import build, state_dict, weights_of
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State, StateShapes, each_state, flat
from rnn_conformance.reference.model.weights import Weights

if TYPE_CHECKING:
    from rnn_conformance.adapters.torch.arrays import Tensor, Tensors

NO_SYMBOLIC_SHAPES = "torch infers shapes from concrete tensors only"
NO_STATE_KEPT = "torch.nn.RNN keeps no state from call to call: its users give h_n to the next call as h_0"


class TorchNetwork:
    """A subclass says how its modules are applied. Masks are not offered, and so no `mask` is ever given."""

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture
        self._model: Any = build(architecture)

    def load(self, weights: Weights) -> None:
        # Not parameter.copy_(tensor): that broadcasts a tensor of another shape.
        self._model.load_state_dict(state_dict(self._architecture, weights))

    def weights(self) -> Weights:
        return weights_of(self._architecture, self._model.state_dict())

    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        import torch

        with torch.no_grad(), self._settings():
            return self._output(*self._forward(tensor(inputs), _tensors(initial_state), lengths))

    def gradients(
        self,
        inputs: Inputs,
        cotangent: Output,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Gradients:
        """torch.autograd.grad of the outputs and the final states, the cotangents being its `grad_outputs`."""
        import torch

        x, states = tensor(inputs), _tensors(initial_state)
        parameters = self._parameters()
        arguments = [x] if self._architecture.embedding is None else []
        arguments += flat(states)
        for argument in arguments:
            argument.requires_grad_()
        with self._settings():
            outputs, final = self._forward(x, states, lengths)
            of, cotangents = [outputs], [cotangent.outputs]
            if cotangent.final_state is not None:
                of += flat(final)
                cotangents += flat(cotangent.final_state)
            found = torch.autograd.grad(of, [*parameters.values(), *arguments], [tensor(c) for c in cotangents])
        rest = (array(gradient) for gradient in found[len(parameters) :])
        return Gradients(
            weights_of(self._architecture, self._of_weights(dict(zip(parameters, found, strict=False)))),
            next(rest) if self._architecture.embedding is None else None,
            each_state(lambda _: next(rest), states),
        )

    def second_gradient(self, inputs: Inputs, cotangent: Output) -> NDArray[np.floating]:
        """torch.autograd.grad of what another one gave, with create_graph=True."""
        import torch

        x = tensor(inputs).requires_grad_()
        with self._settings():
            outputs, _ = self._forward(x, None, None)
            (first,) = torch.autograd.grad(outputs, x, tensor(cotangent.outputs), create_graph=True)
            (second,) = torch.autograd.grad(first.square().sum() / 2, x)
        return array(second)

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        """One step of torch.optim.SGD on torch.nn.functional.mse_loss."""
        import torch

        optimizer = torch.optim.SGD(self._parameters().values(), lr=rate)
        optimizer.zero_grad()
        with self._settings():
            with self._training(), self._autocast():
                outputs, _ = self._forward(tensor(inputs), None, None)
                loss: Any = torch.nn.functional.mse_loss(outputs, tensor(targets))
            loss.backward()
        optimizer.step()

    def run_training(self, inputs: Inputs, seed: int) -> Output:
        """A call in training mode, after torch.manual_seed."""
        import torch

        torch.manual_seed(seed)
        with self._training(), self._settings():
            return self._output(*self._forward(tensor(inputs), None, None))

    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self._model.parameters())

    def symbolic_shape(self) -> tuple[int | None, ...]:
        raise NotImplementedError(NO_SYMBOLIC_SHAPES)

    def symbolic_state_shapes(self) -> StateShapes:
        raise NotImplementedError(NO_SYMBOLIC_SHAPES)

    def reset(self) -> None:
        raise NotImplementedError(NO_STATE_KEPT)

    def _apply(self, x: Tensor, states: Tensors | None, lengths: Lengths | None) -> tuple[Tensor, Tensors]:
        """The output sequence of the last layer, and the final state of each."""
        raise NotImplementedError

    def _parameters(self) -> dict[str, Tensor]:
        """What is trained and has gradients, by its name."""
        return {name: parameter for name, parameter in self._model.named_parameters() if parameter.requires_grad}

    def _of_weights(self, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        """The gradients of the weights by torch's names, from those of the parameters."""
        return gradients

    def _forward(self, x: Tensor, states: Tensors | None, lengths: Lengths | None) -> tuple[Tensor, Tensors]:
        """What the architecture returns, and the final state of each layer."""
        import torch

        with self._autocast():
            if self._architecture.embedding is not None:
                x = self._embed(x)
            outputs, final = self._apply(x, states, lengths)
            if self._architecture.return_sequences:
                return outputs, final
            if lengths is not None or self._architecture.layers[-1].is_bidirectional:
                return torch.cat([parts[0] for parts in final[-1]], -1), final  # h_T is at another place in each row
            return outputs[..., -1, :], final

    def _embed(self, tokens: Tensor) -> Tensor:
        """The rows of the table for tokens."""
        rows: Tensor = self._model["embedding"](tokens)
        return rows

    def _output(self, outputs: Tensor, final: Tensors) -> Output:
        state = each_state(array, final)
        return Output(array(outputs), state if self._architecture.return_state else None)

    def _settings(self) -> AbstractContextManager[None]:
        """torch as the architecture's mode wants it set while it computes."""
        return nullcontext()

    def _autocast(self) -> AbstractContextManager[Any]:
        """Mixed precision, where the architecture asks for it."""
        import torch

        if not self._architecture.weights_dtype:
            return nullcontext()
        return torch.autocast("cpu", dtype=getattr(torch, self._architecture.dtype))

    @contextmanager
    def _training(self) -> Iterator[None]:
        self._model.train()
        try:
            yield
        finally:
            self._model.eval()


def _tensors(state: State | None) -> Tensors | None:
    return each_state(tensor, state)
