"""Watching a user's torch module: each call of each recurrent layer, by hooks that go when the call is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Call, Canonical, Survey
from rnn_conformance.adapters.torch.arrays import array, tensor
from rnn_conformance.adapters.torch.reading import build
from rnn_conformance.reference.layers.masking import mask_of_lengths
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import Array

NO_HOLES = "torch.nn's layers take lengths: in a mask, what is valid has to come before what is not"


def watch(model: Any, survey: Survey, arguments: Arguments) -> tuple[list[Call], Any]:
    """Each call of each recurrent layer that was read, in the order in which they are called, and what came out.

    Nothing is trained and no gradients are kept. Raises ValueError for a layer in training mode that drops something.
    """
    import torch

    calls: list[Call] = []
    handles = []
    modules = dict(model.named_modules(remove_duplicate=False))
    for canonical in survey.layers:
        module = modules[canonical.path]
        if module.training and getattr(module, "dropout", 0):
            raise ValueError(f"{canonical.path or 'the layer'} drops something in training: call its eval() first")
        note = partial(_note, calls, canonical)
        handles.append(module.register_forward_hook(note, with_kwargs=True))
    try:
        with torch.no_grad():
            result = model(*given_to(model, survey, arguments))
    finally:
        for handle in handles:
            handle.remove()
    return calls, each_tensor(result)


def given_to(model: Any, survey: Survey, arguments: Arguments) -> tuple[Any, ...]:
    """What the module is called with: as the user gave it or, for a single layer, in the axes and words of torch."""
    import torch

    inputs = arguments.inputs if isinstance(arguments.inputs, tuple) else (arguments.inputs,)
    tensors: tuple[Any, ...] = tuple(tensor(np.asarray(x)) if not isinstance(x, torch.Tensor) else x for x in inputs)
    if not is_bare(survey):
        return tensors
    (canonical,), x = survey.layers, tensors[0]
    state = None
    if arguments.initial_state is not None:
        state = state_there(each_state(tensor, arguments.initial_state), canonical)
    if canonical.is_cell:
        return (x, state) if state is not None else (x,)
    lengths = lengths_of(arguments)
    if lengths is not None:
        x = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    elif not model.batch_first and x.dim() == 3:
        x = x.transpose(0, 1)
    return (x, state) if state is not None else (x,)


def is_bare(survey: Survey) -> bool:
    """Whether the model is itself a recurrent layer."""
    return [layer.path for layer in survey.layers] == [""]


def lengths_of(arguments: Arguments) -> Any:
    """How many timesteps of each sequence are valid, or None. Raises ValueError for a mask that lengths cannot say."""
    if arguments.lengths is not None or arguments.mask is None:
        return arguments.lengths
    mask = np.asarray(arguments.mask, bool)
    lengths = mask.sum(-1)
    if (mask_of_lengths(lengths, mask.shape[1]) != mask).any():
        raise ValueError(NO_HOLES)
    return lengths


def state_there(state: Any, canonical: Canonical) -> Any:
    """h_0, or (h_0, c_0), of the state of all layers; a cell's has no axis for them."""
    import torch

    flat = [parts for layer in state for parts in layer]
    if canonical.is_cell:
        return flat[0] if len(flat[0]) > 1 else flat[0][0]
    stacked = tuple(torch.stack(list(part)) for part in zip(*flat, strict=True))
    return stacked if len(stacked) > 1 else stacked[0]


def each_tensor(result: Any) -> Any:
    """What came out, with arrays in the place of tensors."""
    import torch

    if isinstance(result, torch.nn.utils.rnn.PackedSequence):
        return array(_padded(result)[0])
    if isinstance(result, torch.Tensor):
        return np.array(array(result))
    if isinstance(result, tuple | list):
        return type(result)(map(each_tensor, result)) if type(result) in (tuple, list) else result
    return {name: each_tensor(value) for name, value in result.items()} if isinstance(result, dict) else result


def _note(calls: list[Call], canonical: Canonical, module: Any, args: Any, kwargs: Any, result: Any) -> None:
    given = dict(zip(("input", "hx"), args, strict=False)) | kwargs
    calls.extend(_calls_of(canonical, module, given["input"], given.get("hx"), result))


def _calls_of(canonical: Canonical, module: Any, x: Any, hx: Any, result: Any) -> Iterator[Call]:
    """The call as one of the canonical layer; that of a stack as one of each of its layers, if these give its bits."""
    if canonical.is_cell:
        yield _call_of_cell(canonical, x, hx, result)
        return
    inputs, mask = _sequence(x, module.batch_first)
    outputs, _ = _sequence(result[0], module.batch_first)
    outputs = _as_long(outputs, inputs.shape[1])
    batched = not hasattr(x, "dim") or x.dim() == 3
    state = None if hx is None else _state_here(hx, canonical, batched)
    whole = Call(canonical, inputs, Output(outputs, _state_here(result[1], canonical, batched)), state, mask)
    if len(canonical.architecture.layers) == 1:
        yield whole
        return
    opened, same = _opened(whole)
    same &= np.array_equal(opened[-1].output.outputs, outputs)
    yield from opened if same else [whole]


def _opened(whole: Call) -> tuple[list[Call], bool]:
    """Each layer of a stack, built by itself and given what the one below put out; whether states are the same."""
    import torch

    calls, x, same = [], whole.inputs, True
    assert whole.output.final_state is not None
    for k in range(len(whole.canonical.architecture.layers)):
        part = whole.canonical.layer(k)
        start = None if whole.initial_state is None else whole.initial_state[k : k + 1]
        arguments = Arguments(tensor(x), start, mask=whole.mask)
        module = build(part)
        with torch.no_grad():
            result = module(*given_to(module, Survey((replace(part, path=""),)), arguments))
        outputs = _as_long(_sequence(result[0], True)[0], x.shape[1])
        final = _state_here(result[1], part, True)
        for mine, yours in zip(final[0], whole.output.final_state[k], strict=True):
            same &= all(np.array_equal(a, b) for a, b in zip(mine, yours, strict=True))
        calls.append(Call(part, x, Output(outputs, final), start, whole.mask))
        x = outputs
    return calls, same


def _call_of_cell(canonical: Canonical, x: Any, hx: Any, result: Any) -> Call:
    """A step as a sequence of one timestep."""
    single = x.dim() == 1
    parts = result if isinstance(result, tuple) else (result,)

    def here(part: Any) -> Array:
        return np.array(array(part))[np.newaxis] if single else np.array(array(part))

    final = (tuple(map(here, parts)),)
    state = None if hx is None else ((tuple(map(here, hx if isinstance(hx, tuple) else (hx,))),),)
    return Call(canonical, here(x)[:, np.newaxis], Output(final[0][0][:, np.newaxis], (final,)), state)


def _sequence(x: Any, batch_first: bool) -> tuple[Array, Mask | None]:
    """(batch, timesteps, features), and the mask of a packed sequence."""
    import torch

    if isinstance(x, torch.nn.utils.rnn.PackedSequence):
        padded, lengths = _padded(x)
        return np.array(array(padded)), mask_of_lengths(lengths.numpy(), padded.shape[1])
    if x.dim() == 2:
        return np.array(array(x))[np.newaxis], None
    return np.array(array(x if batch_first else x.transpose(0, 1))), None


def _padded(packed: Any) -> tuple[Any, Any]:
    import torch

    padded: tuple[Any, Any] = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    return padded


def _as_long(outputs: Array, timesteps: int) -> Array:
    """The outputs of a packed sequence end with the longest."""
    more = np.zeros((len(outputs), timesteps - outputs.shape[1], outputs.shape[2]), outputs.dtype)
    return np.concatenate([outputs, more], axis=1)


def _state_here(state: Any, canonical: Canonical, batched: bool) -> State:
    """h_n, or (h_n, c_n), as the state of each direction of each layer."""
    parts = [np.array(array(part)) for part in (state if isinstance(state, tuple) else (state,))]
    parts = parts if batched else [part[:, np.newaxis] for part in parts]
    each = list(zip(*parts, strict=True))
    many = 1 + canonical.architecture.layers[0].is_bidirectional
    return tuple(tuple(each[k : k + many]) for k in range(0, len(each), many))
