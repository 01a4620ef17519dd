"""Ways to run torch's layers with other weights than the module's parameters, and over a batch of single sequences."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.protocol import Inputs, Lengths, Unsupported
from rnn_conformance.adapters.torch.model import state_dict, weights_of
from rnn_conformance.adapters.torch.ways import CellNetwork, SequenceNetwork
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.weights import Weights

if TYPE_CHECKING:
    from rnn_conformance.adapters.torch.arrays import Tensor, Tensors


class VmappedNetwork(CellNetwork):
    """torch.vmap of the cells' loop over a single sequence: torch.nn.RNN itself has no batching rule."""

    def _apply(self, x: Tensor, states: Tensors | None, lengths: Lengths | None) -> tuple[Tensor, Tensors]:
        import torch

        def single(x: Tensor, states: Tensors | None) -> tuple[Tensor, Tensors]:
            return super(VmappedNetwork, self)._apply(x, states, None)

        vmapped: Any = torch.vmap(single, in_dims=(0, None if states is None else 0))
        with warnings.catch_warnings():
            # torch loops over the batch where it knows no better, and says that this takes time.
            warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
            found: tuple[Tensor, Tensors] = vmapped(x, states)
        return found


class FunctionalNetwork(SequenceNetwork):
    """torch.func.functional_call of each module, with weights beside those that it has."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self._given: dict[str, Tensor] = {}

    def load(self, weights: Weights) -> None:
        trained = {name for name, parameter in self._model.named_parameters() if parameter.requires_grad}
        # Clones, because a tensor may share memory with an array.
        self._given = {
            name: tensor.clone().requires_grad_(name in trained)
            for name, tensor in state_dict(self._architecture, weights).items()
        }

    def weights(self) -> Weights:
        return weights_of(self._architecture, self._given)

    def _parameters(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self._given.items() if tensor.requires_grad}

    def _embed(self, tokens: Tensor) -> Tensor:
        return self._functional(self._model["embedding"], "embedding.", tokens)

    def _call(self, rnn: Any, x: Any, h_0: Any) -> Any:
        number = list(self._model["layers"]).index(rnn)
        return self._functional(rnn, f"layers.{number}.", x, h_0)

    def _functional(self, module: Any, prefix: str, *arguments: Any) -> Any:
        import torch

        weights = {name.removeprefix(prefix): t for name, t in self._given.items() if name.startswith(prefix)}
        return torch.func.functional_call(module, weights, arguments)


class ParametrisedNetwork(SequenceNetwork):
    """Each kernel is torch.nn.utils.parametrize's function of a parameter of its own: of its transposed matrix."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self._names = list(self._model.state_dict())
        for name in self._names:
            if "weight_" in name:
                self._parametrise(*self._place(name))

    def load(self, weights: Weights) -> None:
        import torch

        given = state_dict(self._architecture, weights)
        kernels = {name: given.pop(name) for name in list(given) if "weight_" in name}
        self._model.load_state_dict(given, strict=False)  # what it misses comes now
        with torch.no_grad():
            for name, kernel in kernels.items():
                module, attribute = self._place(name)
                setattr(module, attribute, kernel)

    def weights(self) -> Weights:
        import torch

        with torch.no_grad():
            return weights_of(self._architecture, {name: getattr(*self._place(name)) for name in self._names})

    def _place(self, name: str) -> tuple[Any, str]:
        """The module and the attribute of a weight."""
        where, _, attribute = name.rpartition(".")
        return self._model.get_submodule(where), attribute

    def _parametrise(self, module: Any, attribute: str) -> None:
        import torch

        from rnn_conformance.adapters.torch.example import transposed_module

        torch.nn.utils.parametrize.register_parametrization(module, attribute, transposed_module())

    def _of_weights(self, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            name.replace("parametrizations.", "").removesuffix(".original"): g.mT if name.endswith(".original") else g
            for name, g in gradients.items()
        }


class WeightNormedNetwork(ParametrisedNetwork):
    """Each kernel is torch.nn.utils.parametrizations.weight_norm's product of its rows' lengths and directions.

    Its gradients are those of the kernels, which torch computes once for a call. A row of zeros has no direction: it
    comes back as NaN.
    """

    def gradients(self, inputs: Inputs, cotangent: Output, **given: Any) -> Gradients:
        import torch

        with torch.nn.utils.parametrize.cached():
            return super().gradients(inputs, cotangent, **given)

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        raise Unsupported("what is trained is the length and the direction of each row, and not the row")

    def _parametrise(self, module: Any, attribute: str) -> None:
        import torch

        torch.nn.utils.parametrizations.weight_norm(module, attribute)

    def _parameters(self) -> dict[str, Tensor]:
        tensors = {name: getattr(*self._place(name)) for name in self._names}
        return {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
