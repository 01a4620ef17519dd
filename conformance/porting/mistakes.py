"""Wrong ports, each by its name: what a layer would be that was carried over like that, and what to change.

A layer that does not conform is tried as each of them: if it is within the proven bounds of the layer with that mistake
in it, that is what it looks like. No closeness is asked for, and no tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Call, Canonical
from rnn_conformance.conformance.porting.gates import each_direction, permuted
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Array, Weights

Named = dict[str, Array]


@dataclass(frozen=True, eq=False)
class Mistake:
    """A layer with a mistake in it, and the call as that layer has it; `advice` says what to change in the port."""

    sentence: str
    advice: str
    canonical: Canonical
    call: Call


def mistakes(canonical: Canonical, call: Call, others: Sequence[Canonical] = ()) -> Iterator[Mistake]:
    """Every mistake that could have been made with this layer, of which `others` are in the same model."""
    if len(canonical.architecture.layers) != 1:
        return
    for sentence, advice, weights in _of_weights(canonical):
        yield Mistake(sentence, advice, replace(canonical, weights=weights), call)
    for sentence, advice, cell in _of_equation(canonical):
        (layer,) = canonical.architecture.layers
        architecture = replace(canonical.architecture, layers=(replace(layer, cell=cell),))
        yield Mistake(sentence, advice, replace(canonical, architecture=architecture), call)
    yield from _of_calls(canonical, call)
    for other in others:
        if other is not canonical and other.architecture.layers == canonical.architecture.layers:
            sentence = f"it has the weights of {other.path or 'another layer'}"
            yield Mistake(
                sentence, "carry each layer to its own place", replace(canonical, weights=other.weights), call
            )


def _of_weights(canonical: Canonical) -> Iterator[tuple[str, str, Weights]]:
    """What the arrays may have become."""
    (layer,), (given,) = canonical.architecture.layers, canonical.weights.layers
    cell, has_b, has_c = layer.cell, "b" in given.named, "c" in given.named

    def changed(change: Callable[[Named], Named]) -> Weights:
        return Weights((each_direction(given, change),))

    which = {
        "": ("W", "U", "b", "c"),
        " in the input kernel alone": ("W",),
        " in the recurrent kernel alone": ("U",),
        " in both kernels, and not in the biases": ("W", "U"),
        " in the biases alone": ("b", "c"),
    }
    for where, names in which.items():
        for order in list(permutations(range(len(cell.gates))))[1:]:
            told = " ".join(cell.gates[k] for k in order)
            advice = (
                f"put their rows into the order {' '.join(cell.gates)} of SPEC.md, and from there into the target's"
            )

            def reordered(named: Named, order: Any = order, names: Any = names) -> Named:
                return {name: permuted(cell, a, order) if name in names else a for name, a in named.items()}

            yield f"the gates are in the order {told}{where}", advice, changed(reordered)

    square = layer.units == layer.cell.widths(layer.units)["h"]
    if square:
        yield "the recurrent kernel is transposed", "transpose it once", changed(_with("U", lambda a: _turned(cell, a)))
    if layer.features == layer.units:
        yield "the input kernel is transposed", "transpose it once", changed(_with("W", lambda a: _turned(cell, a)))
    reshape = "transpose a kernel; a reshape leaves its numbers where they were in memory"
    yield "the recurrent kernel was reshaped and not transposed", reshape, changed(_with("U", _reshaped))
    yield "the input kernel was reshaped and not transposed", reshape, changed(_with("W", _reshaped))
    if given.named["W"].shape == given.named["U"].shape:
        swap = changed(lambda named: {**named, "W": named["U"], "U": named["W"]})
        yield "the two kernels are exchanged", "W reads the inputs, U the state", swap

    if has_c:
        yield (
            "the second bias is lost",
            "carry the recurrent bias as well, or add it to the other",
            changed(_with("c", _zero)),
        )
    if has_b:
        yield f"the {'first ' if has_c else ''}bias is lost", "carry it as well", changed(_with("b", _zero))
    if has_c:
        both = changed(lambda named: {**named, "b": _zero(named["b"]), "c": _zero(named["c"])})
        yield "both biases are lost", "carry them as well", both
    if has_c and getattr(cell, "reset", "") == "after":  # everywhere else the two are added
        if given.named["b"].shape == given.named["c"].shape:
            swap = changed(lambda named: {**named, "b": named["c"], "c": named["b"]})
            yield "the two biases are exchanged", "b belongs to W x, c to U h, which a reset gate tells apart", swap
        merge = changed(lambda named: {**named, **_merged(named)})
        yield (
            "the two biases are added, that of n as well",
            "c of n is multiplied by r, and cannot be added to b",
            merge,
        )
    if has_b:
        twice = changed(lambda named: {**named, **_twice(named)})
        yield "the bias is added twice", "where a layer has two biases and the other one, one of the two is zero", twice
        for k, gate in enumerate(cell.gates):
            lost = changed(_with("b", partial(_without, cell, gate=k)))
            if len(cell.gates) > 1:
                yield f"the bias of gate {gate} is lost", "carry the rows of every gate", lost
    if has_b and isinstance(cell, Lstm):
        for by, told in (
            (1.0, "added to the bias of the forget gate"),
            (-1.0, "taken from the bias of the forget gate"),
        ):
            shifted = changed(_with("b", partial(_shifted, cell, by=by)))
            yield (
                f"1 is {told}",
                "a forget bias of 1 is part of some equations, and of others only how they begin",
                shifted,
            )
    if given.backward is not None:
        turned = Weights((replace(given.backward, backward=replace(given, backward=None)),))
        yield "the weights of the two directions are exchanged", "the second set is that of the backward one", turned
        copied = Weights((replace(given, backward=replace(given, backward=None)),))
        yield "the backward direction has the weights of the forward one", "carry the second set as well", copied
    for dtype in ("float16", "bfloat16"):
        rounded = changed(partial(_rounded, dtype))
        yield f"the weights were rounded to {dtype}", f"carry them in {canonical.architecture.dtype}", rounded


def _rounded(dtype: str, named: Named) -> Named:
    return {name: array.astype(dtype_of(dtype)).astype(array.dtype) for name, array in named.items()}


def _with(name: str, change: Callable[[Array], Array]) -> Callable[[Named], Named]:
    return lambda named: {key: change(a) if key == name else a for key, a in named.items()}


def _zero(array: Array) -> Array:
    return np.zeros_like(array)


def _turned(cell: Any, array: Array) -> Array:
    """The kernel of each gate transposed."""
    return np.concatenate([block.T for block in np.split(array, len(cell.gates))])


def _reshaped(array: Array) -> Array:
    """What a reshape makes of a kernel that is kept transposed."""
    return np.ascontiguousarray(array.T).reshape(array.shape)


def _merged(named: Named) -> Named:
    total = named["b"].copy()
    total[len(total) - len(named["c"]) :] += named["c"]
    return {"b": total, "c": _zero(named["c"])}


def _twice(named: Named) -> Named:
    if "c" not in named or named["c"].shape != named["b"].shape:
        return {"b": 2 * named["b"]}
    total = named["b"] + named["c"]
    return {"b": total, "c": total}


def _without(cell: Any, array: Array, gate: int) -> Array:
    blocks = [_zero(block) if k == gate else block for k, block in enumerate(np.split(array, len(cell.gates)))]
    return np.concatenate(blocks)


def _shifted(cell: Any, array: Array, by: float) -> Array:
    gate = cell.gates.index("f")
    blocks = [
        block + array.dtype.type(by) if k == gate else block for k, block in enumerate(np.split(array, len(cell.gates)))
    ]
    return np.concatenate(blocks)


def _of_equation(canonical: Canonical) -> Iterator[tuple[str, str, Any]]:
    """What the cell may have become."""
    cell = canonical.architecture.layers[0].cell
    if isinstance(cell, Gru):
        other = "before" if cell.reset == "after" else "after"
        advice = f"ask for a GRU that resets {cell.reset} the product, such as by reset_after or linear_before_reset"
        yield f"the reset gate is multiplied {other} the product", advice, replace(cell, reset=other)
        keep = "1-z" if cell.keep == "z" else "z"
        yield (
            f"it is {keep} that keeps the state",
            "negate the rows of z in W, U and the biases",
            replace(cell, keep=keep),
        )
    for role, field in (("gate", "recurrent_activation"), ("candidate", "activation"), ("output", "output_activation")):
        if role not in cell.activations:
            continue
        names = (
            "tanh",
            "relu",
            "linear",
            "sigmoid",
            *(("hard_sigmoid", "hard_sigmoid_fifth") if role == "gate" else ()),
        )
        for name in names:
            if name != cell.activations[role]:
                advice = f"ask for {cell.activations[role]}"
                yield f"the activation of the {role} is {name}", advice, replace(cell, **{field: name})


def _of_calls(canonical: Canonical, call: Call) -> Iterator[Mistake]:
    """What may have become of what the layer was given, or of what it returned."""
    state, final, mask = call.initial_state, call.output.final_state, call.mask
    if state is not None:
        lost = replace(call, initial_state=None)
        yield Mistake("the initial state did not arrive", "hand it to the layer", canonical, lost)
        if any(len(parts) > 1 for parts in state[0]):
            turned = replace(call, initial_state=(tuple(parts[::-1] for parts in state[0]),))
            yield Mistake(
                "h and c of the initial state are exchanged", "Flax has (c, h), the others (h, c)", canonical, turned
            )
        if len(state[0]) > 1:
            turned = replace(call, initial_state=(state[0][::-1],))
            yield Mistake("the initial states of the two directions are exchanged", "forward first", canonical, turned)
    if final is not None and any(len(parts) > 1 for parts in final[0]):
        turned = replace(call, output=replace(call.output, final_state=(tuple(parts[::-1] for parts in final[0]),)))
        yield Mistake(
            "h and c of the final state are exchanged", "Flax has (c, h), the others (h, c)", canonical, turned
        )
    if mask is not None:
        advice = "hand on the mask, or the lengths; a layer in between may have lost it"
        yield Mistake("the mask did not arrive", advice, canonical, replace(call, mask=None))
        late = np.concatenate([mask[:, :1], mask[:, :-1]], axis=1)
        yield Mistake("the mask is one timestep late", "align it with the inputs", canonical, replace(call, mask=late))
        if mask[:, :1].all() and not mask.all():
            yield Mistake(
                "the mask is turned round", "what is valid is true in it", canonical, replace(call, mask=~mask)
            )
    yield from _of_time(canonical, call)


def _of_time(canonical: Canonical, call: Call) -> Iterator[Mistake]:
    """What may have become of the order of timesteps."""
    (layer,), choices = canonical.architecture.layers, canonical.choices
    if call.is_last:
        return
    outputs = call.output.outputs
    if layer.is_bidirectional and layer.merge == "concat":
        width = layer.of_direction
        turned = np.concatenate([outputs[..., :width], outputs[:, ::-1, width:]], axis=-1)
        output = replace(call.output, outputs=turned)
        yield Mistake(
            "the outputs of the backward direction are not turned round",
            "flip them along time",
            canonical,
            replace(call, output=output),
        )
        swapped = replace(
            call, output=Output(np.concatenate([outputs[..., width:], outputs[..., :width]], axis=-1), None)
        )
        yield Mistake("the outputs of the two directions are exchanged", "forward first", canonical, swapped)
    else:
        direction = "forward" if layer.direction == "backward" else "backward"
        for order, told in (("aligned", ""), ("processing", ", and its outputs are in the order of processing")):
            other = replace(
                canonical, architecture=replace(canonical.architecture, layers=(replace(layer, direction=direction),))
            )
            run = replace(call, canonical=replace(call.canonical, choices=replace(choices, backward_outputs=order)))
            sentence = f"it runs {'forwards' if direction == 'forward' else 'backwards'}{told}"
            yield Mistake(sentence, "say in which direction the layer runs", other, run)
            if direction == "forward":
                break
        if layer.direction == "backward":
            flipped = replace(call.output, outputs=outputs[:, ::-1])
            yield Mistake("its outputs are turned round in time", "flip them", canonical, replace(call, output=flipped))
    if call.mask is None and call.initial_state is None:
        output = Output(outputs.swapaxes(0, 1), None)
        exchanged = replace(call, inputs=call.inputs.swapaxes(0, 1), output=output)
        yield Mistake(
            "batch and timesteps are exchanged", "say which axis is time, such as by batch_first", canonical, exchanged
        )
