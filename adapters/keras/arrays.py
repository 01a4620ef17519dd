"""What of Keras the adapters use, by type: its layers, models and variables, and tensors, which are the backend's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Keras = Any
"""The module itself, on the backend of this process."""

Tensor = Any
"""A tensor of the backend or, in a model that is being connected, a symbolic one of Keras."""

Function = Callable[..., Any]
"""From tensors to a tensor or a list of them."""


class Variable(Protocol):
    """A parameter, or a state that is kept from call to call."""

    value: Tensor

    def assign(self, value: Any) -> Any: ...


class RecurrentLayer(Protocol):
    """A SimpleRNN, an RNN of cells, or a Bidirectional."""

    name: str

    def __call__(self, x: Tensor, **options: Any) -> Any: ...

    def reset_state(self) -> None: ...

    def reset_states(self) -> None: ...  # as Keras 2 calls it


class Model(Protocol):
    """A Model or a Sequential of such layers."""

    inputs: list[Tensor]
    outputs: list[Tensor]
    trainable_variables: Sequence[Variable]
    non_trainable_variables: Sequence[Variable]
    predict_function: Any  # what `predict` has compiled; None before

    def __call__(self, inputs: Any, **options: Any) -> Any: ...

    def stateless_call(self, trainable: Any, others: Any, inputs: Any, **options: Any) -> tuple[Any, Any]: ...

    def predict(self, inputs: Any, *, batch_size: int, verbose: int) -> Any: ...

    def get_layer(self, name: str) -> RecurrentLayer: ...

    def count_params(self) -> int: ...

    def save(self, path: Any) -> None: ...


def one_or_list(values: Sequence[Tensor]) -> Tensor | list[Tensor]:
    """What Keras takes for these inputs: a list, or the only one by itself."""
    return values[0] if len(values) == 1 else list(values)


def as_list(result: Tensor | list[Tensor]) -> list[Tensor]:
    """What Keras returned, as a list also where it is a single tensor."""
    return list(result) if isinstance(result, list | tuple) else [result]
