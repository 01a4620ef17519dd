"""The gradients of a user's own torch layer: torch.autograd.grad of all that the module itself returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Canonical, Survey
from rnn_conformance.adapters.torch.arrays import array, tensor
from rnn_conformance.adapters.torch.gates import NAMES, kind_of
from rnn_conformance.adapters.torch.watching import given_to, state_there
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.names import place_of
from rnn_conformance.reference.model.states import each_state, flat
from rnn_conformance.reference.model.weights import Weights


def differentiate(model: Any, canonical: Canonical, arguments: Arguments, cotangent: Output) -> Gradients:
    """Those of the weights, of the inputs and, where one is given, of the initial state; of a cell those of a step."""
    import torch
    from torch.nn.utils import parametrize

    module = dict(model.named_modules(remove_duplicate=False))[canonical.path]
    alone = replace(canonical, path="")
    x, state = _leaf(arguments.inputs), each_state(_leaf, arguments.initial_state)
    inputs = x[:, 0] if canonical.is_cell else x
    given = given_to(module, Survey((alone,)), replace(arguments, inputs=inputs, initial_state=None))
    hx = () if state is None else (state_there(state, alone),)
    # Of a parametrisation that is cached, the tensor that is read here is the one that the module computes with.
    with torch.enable_grad(), _all_trained(module), parametrize.cached():
        weights = {name: getattr(module, _attribute(name, canonical)) for name, _ in canonical.weights.arrays()}
        returned = _returned(canonical, module, module(*given, *hx), x.shape[1])
        cotangents = [tensor(np.array(c)) for c in (cotangent.outputs, *flat(cotangent.final_state))]
        found = iter(torch.autograd.grad(returned, [*weights.values(), x, *flat(state)], cotangents))
    of_weights = {}
    for name in weights:
        place = place_of(name)
        assert place is not None
        kind = kind_of(canonical.architecture.layers[place.layer].cell)
        of_weights[name] = np.array(kind.reordered(array(next(found))))
    of_inputs = np.array(array(next(found)))
    return Gradients(Weights.of(of_weights), of_inputs, each_state(lambda _: np.array(array(next(found))), state))


def _leaf(array: Any) -> Any:
    return tensor(np.array(array)).requires_grad_()


def _attribute(name: str, canonical: Canonical) -> str:
    """What the module calls an array of the weights."""
    place = place_of(name)
    assert place is not None
    suffix = "" if canonical.is_cell else f"_l{place.layer}{'_reverse' if place.direction else ''}"
    return f"{NAMES[place.part]}{suffix}"


def _returned(canonical: Canonical, module: Any, result: Any, timesteps: int) -> list[Any]:
    """The outputs (batch, timesteps, width), and the final state of each layer and direction, part by part."""
    import torch

    if canonical.is_cell:
        parts = result if isinstance(result, tuple) else (result,)
        return [parts[0][:, None], *parts]
    outputs, state = result
    if isinstance(outputs, torch.nn.utils.rnn.PackedSequence):
        outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=timesteps)
    elif not module.batch_first:
        outputs = outputs.transpose(0, 1)
    parts = state if isinstance(state, tuple) else (state,)
    return [outputs, *(part for each in zip(*parts, strict=True) for part in each)]


@contextmanager
def _all_trained(module: Any) -> Iterator[None]:
    """What is frozen has a gradient for so long."""
    frozen = [parameter for parameter in module.parameters() if not parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
