"""Whatever an adapter returns, its checks have a verdict, and it is the adapter that fails, never the suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from concluding import concluded

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.numpy.adapter import adapter as numpy_adapter
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.weights import LayerWeights, Weights

Change = Callable[[Any], Any]


@dataclass(frozen=True)
class Answers:
    """The NumPy adapter, but for what one method returns, which is changed."""

    method: str
    change: Change

    def describe(self) -> Description:
        return numpy_adapter.describe()

    def prepare(self, architecture: Architecture) -> Any:
        network = _Network(numpy_adapter.prepare(architecture), self)
        return self.change(network) if self.method == "prepare" else network


class _Network:
    def __init__(self, network: Any, answers: Answers) -> None:
        self._network, self._answers = network, answers

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._network, name)
        if name != self._answers.method:
            return method
        return lambda *given, **named: self._answers.change(method(*given, **named))


def each_array(change: Change) -> Change:
    """The same change to every array that is returned."""

    def changed(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return change(value)
        if isinstance(value, tuple):
            return tuple(map(changed, value))
        if isinstance(value, dict):
            return {name: changed(part) for name, part in value.items()}
        if isinstance(value, Output | Weights | LayerWeights | Gradients):
            return type(value)(*(changed(part) for part in vars(value).values()))
        return value

    return changed


class Hostile:
    """Something that cannot even be looked at."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


ANYTHING: dict[str, Change] = {
    "None": lambda value: None,
    "a dict": lambda value: {},
    "a class": lambda value: Output,
    "an empty tuple": lambda value: (),
    "nested tuples": lambda value: ((("a",),),),
    "a number": lambda value: 1.5,
    "an array": lambda value: np.zeros((2, 3, 1), np.float32),
    "something hostile": lambda value: Hostile(),
}

ARRAYS: dict[str, Change] = {
    "None": lambda array: None,
    "lists": lambda array: array.tolist(),
    "objects": lambda array: array.astype(object),
    "texts": lambda array: array.astype(str),
    "whole numbers": lambda array: array.astype(np.int64),
    "complex numbers": lambda array: array.astype(np.complex128),
    "longer numbers": lambda array: array.astype(np.longdouble) * np.longdouble("1e4000"),
    "a masked array": lambda array: np.ma.masked_all(array.shape, array.dtype),
    "a matrix": lambda array: array.view(np.matrix) if array.ndim == 2 else None,
    "one number": lambda array: array.dtype.type(1),
    "no axes": lambda array: np.asarray(array.dtype.type(1)),
    "one axis": np.ravel,
    "an axis more": lambda array: array[np.newaxis],
    "no rows": lambda array: array[:0],
    "rows twice": lambda array: np.concatenate([array, array]),
    "NaN": lambda array: np.full_like(array, np.nan),
    "infinity": lambda array: np.full_like(array, np.inf),
    "huge numbers": lambda array: np.full_like(array, 3e38),
    "zeros": np.zeros_like,
}

STATES: dict[str, Change] = {
    "no states": lambda output: Output(output.outputs),
    "lists of states": lambda output: replace(output, final_state=[list(h) for h in output.final_state or ()]),
    "states without a layer": lambda output: replace(output, final_state=tuple(h[0] for h in output.final_state or ())),
    "one layer too many": lambda output: replace(output, final_state=(output.final_state or ()) * 2),
    "nested too deeply": lambda output: replace(output, final_state=(output.final_state,)),
    "an array": lambda output: replace(output, final_state=output.outputs),
}

GRADIENTS: dict[str, Change] = {
    "no weights": lambda found: replace(found, weights=None),
    "no layers": lambda found: replace(found, weights=Weights(())),
    "no inputs": lambda found: replace(found, inputs=None),
    "no initial state": lambda found: replace(found, initial_state=None),
}

JUDGED = {
    "run": ("test_values.py::test_recurrence",),
    "weights": ("test_weights.py::test_round_trip",),
    "gradients": ("test_gradients.py::test_gradients_of_weights", "test_gradients.py::test_gradient_of_inputs"),
    "parameter_count": ("test_weights.py::test_parameter_count",),
    "symbolic_shape": ("test_shapes.py::test_symbolic_shapes", "test_shapes.py::test_symbolic_output_shapes_fit"),
    "symbolic_state_shapes": ("test_shapes.py::test_symbolic_state_shapes_fit",),
    "run_training": ("test_dropout.py::test_dropout",),
    "prepare": ("test_values.py::test_recurrence",),
}
"""For each method the checks that look at what it returns."""

OF_ARRAYS = ("run", "weights", "gradients", "run_training")

EVERY = [
    *((method, what, change) for method in JUDGED for what, change in ANYTHING.items()),
    *((method, what, each_array(change)) for method in OF_ARRAYS for what, change in ARRAYS.items()),
    *(("gradients", what, change) for what, change in GRADIENTS.items()),
]
EACH_ONCE = [
    each
    for k, each in enumerate(EVERY)
    if each[0] == "run" or (len(JUDGED) * len(ANYTHING) <= k and k % 2) or each[1] in ("None", "something hostile")
]
"""Every answer of `run`, and some of each other method."""


@pytest.mark.slow
@pytest.mark.parametrize(("method", "what", "change"), EVERY, ids=[f"{method}: {what}" for method, what, _ in EVERY])
def test_adapter_fails_whatever_it_returns(method: str, what: str, change: Change) -> None:
    """No answer of any method does anything else."""
    test_adapter_fails(method, what, change)


@pytest.mark.parametrize(
    ("method", "what", "change"), EACH_ONCE, ids=[f"{method}: {what}" for method, what, _ in EACH_ONCE]
)
def test_adapter_fails(method: str, what: str, change: Change) -> None:
    """No answer breaks the suite, passes as right, or brings a traceback into the record."""
    for check in JUDGED[method]:
        record = concluded(Answers(method, change), check)
        assert record.verdict == "fails", f"{check}: {record.verdict}: {record.message}"
        assert "Traceback" not in record.message


@pytest.mark.parametrize("what", STATES)
def test_states_of_any_nesting(what: str) -> None:
    """So it is with final states, wherever a check looks at them."""
    for check in ("test_state.py::test_final_state", "test_state.py::test_splitting_a_sequence"):
        record = concluded(Answers("run", STATES[what]), check)
        assert record.verdict == "fails", f"{check}: {record.verdict}: {record.message}"
        assert "final" in record.message


def test_message_says_what_there_should_be() -> None:
    """Without the text of what was returned, which may be long, or raise."""
    record = concluded(Answers("run", each_array(lambda array: array.tolist())), "test_values.py::test_recurrence")
    assert record.message == "outputs is a list, but should be a numpy.ndarray"
    record = concluded(Answers("run", each_array(np.ravel)), "test_values.py::test_recurrence")
    assert record.message.startswith("outputs.shape = ")


@pytest.mark.parametrize("what", ["NaN", "infinity"])
@pytest.mark.parametrize(
    "check", ["test_stacks.py::test_stacking_is_composing", "test_masks.py::test_alone_without_padding"]
)
def test_what_others_are_held_against(what: str, check: str) -> None:
    """Where a subject is compared with itself, what is not finite is wrong as well."""
    record = concluded(Answers("run", each_array(ARRAYS[what])), check)
    assert record.verdict == "fails"
    assert record.message.endswith("but should be finite")
