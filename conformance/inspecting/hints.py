"""What to do about an answer that is not what the protocol says, told from the words in which it was refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import permutations

_SHAPES = re.compile(r"\.shape = \(([\d, ]*)\), but should be \(([\d, ]*)\)")

_HINTS: Mapping[re.Pattern[str], str] = {
    re.compile(r"run(_training)? returned an? (?!Output)\w+, but should return an instance of Output"): (
        "wrap it: return Output(outputs, final_state), of rnn_conformance.reference.model.calls"
    ),
    re.compile(r"gradients returned an? \w+, but should return an instance of Gradients"): (
        "wrap it: return Gradients(weights, inputs, initial_state), of rnn_conformance.reference.model.calls"
    ),
    re.compile(r"weights returned an? \w+, but should return an instance of Weights"): (
        "wrap it: return Weights((LayerWeights({'W': W, 'U': U, 'b': b}),)), of rnn_conformance.reference.model.weights"
    ),
    re.compile(r"(final_state|initial_state)(\[\d+\])* is (an? \w+|None), but should be a tuple"): (
        "a state is nested in tuples, by layer, by direction, by part: (((h,),),) of one layer, (((h, c),),) of an LSTM"
    ),
    re.compile(r"is an? (Tensor|EagerTensor|ArrayImpl|Array|list|tuple|float), but should be a numpy.ndarray"): (
        "make it an array: numpy.asarray(...), or tensor.detach().numpy()"
    ),
    re.compile(r"NoneType.* but should return|returned a NoneType"): "is a `return` missing?",
}


def hint(message: str, sizes: Mapping[str, int] | None = None) -> str:
    """What to do, in a line; empty where nothing is known. `sizes` are the lengths of the axes by name."""
    if shapes := _SHAPES.search(message):
        found, wanted = (tuple(int(n) for n in each.split(",") if n.strip()) for each in shapes.groups())
        return _of_axes(found, wanted, sizes or {})
    return next((told for pattern, told in _HINTS.items() if pattern.search(message)), "")


def _of_axes(found: tuple[int, ...], wanted: tuple[int, ...], sizes: Mapping[str, int]) -> str:
    """Whether it is the axes that are in another order, and in which."""
    if found == wanted or sorted(found) != sorted(wanted):
        return ""
    names = {size: name for name, size in sizes.items()}
    if len(names) == len(sizes) and set(found) <= set(names):
        told = _named(names.__getitem__)
        return f"its axes are in another order: it is {told(found)}, and should be {told(wanted)}"
    order = next(order for order in permutations(range(len(found))) if tuple(found[k] for k in order) == wanted)
    return f"its axes are in another order: numpy.transpose(array, {order}) has the right one"


def _named(name: Callable[[int], str]) -> Callable[[tuple[int, ...]], str]:
    return lambda shape: f"({', '.join(map(name, shape))})"
