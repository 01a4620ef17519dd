"""Watching a user's Flax model: each call of each recurrent layer, which is asked for its carry as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import NOT_SEEN, Arguments, Call, Canonical, Survey
from rnn_conformance.adapters.flax.nnx_reading import walk
from rnn_conformance.adapters.flax.shared import swapped
from rnn_conformance.reference.layers.layer import join
from rnn_conformance.reference.layers.masking import mask_of_lengths
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array

NO_HOLES = "Flax's layers take lengths: in a mask, what is valid has to come before what is not"


@dataclass
class Watcher:
    """Notes calls. What stands within a Bidirectional belongs to it: its two outputs are kept in `within`."""

    calls: list[Call] = field(default_factory=list)
    within: list[list[Array]] = field(default_factory=list)

    def note(
        self, canonical: Canonical | None, module: Any, call: Callable[..., Any], x: Any, given: dict[str, Any]
    ) -> Any:
        """Call a layer, `canonical` if it was read, and note it."""
        if self.within:
            result = call(x, **given)
            self.within[-1].append(np.asarray(result[1]))
            return result
        if canonical is None or not is_concrete(x) or x.ndim > 3:
            return call(x, **given)
        wants_carry = module.return_carry if given.get("return_carry") is None else given["return_carry"]
        is_both = canonical.architecture.layers[0].is_bidirectional
        self.within += [[]] if is_both else []
        try:
            carry, outputs = call(x, **{**given, "return_carry": True})
        finally:
            each = self.within.pop() if is_both else []
        shown = outputs if wants_carry else call(x, **given)
        self.calls.append(_call_of(canonical, module, x, given, carry, each, np.asarray(outputs), np.asarray(shown)))
        return (carry, shown) if wants_carry else shown

    def note_cell(self, canonical: Canonical | None, call: Callable[..., Any], carry: Any, x: Any) -> Any:
        """Call a cell that a user's own loop calls, and note it."""
        result = call(carry, x)
        if canonical is not None and is_concrete(x) and x.ndim <= 2:
            inputs, state = _with_batch(np.asarray(x), 2), state_here(canonical, carry)
            final = state_here(canonical, result[0])
            self.calls.append(
                Call(canonical, inputs[:, np.newaxis], Output(final[0][0][0][:, np.newaxis], final), state)
            )
        return result


def is_concrete(x: Any) -> bool:
    """Whether there are numbers in it, and not only a place for them in what is being compiled."""
    import jax

    return not isinstance(x, jax.core.Tracer)


def _with_batch(array: Array, axes: int) -> Array:
    return array if array.ndim == axes else array[np.newaxis]


def state_here(canonical: Canonical, carry: Any) -> State:
    """A carry of Flax as the state of a layer."""
    layer = canonical.architecture.layers[0]
    carry = swapped(layer, carry)
    each = carry if layer.is_bidirectional else (carry,)
    return (tuple(tuple(_with_batch(np.asarray(p), 2) for p in (h if isinstance(h, tuple) else (h,))) for h in each),)


def _call_of(
    canonical: Canonical,
    module: Any,
    x: Any,
    given: Mapping[str, Any],
    carry: Any,
    each: list[Array],
    outputs: Array,
    shown: Array,
) -> Call:
    def option(name: str) -> bool:
        return bool(getattr(module, name, False) if given.get(name) is None else given[name])

    def here(array: Array) -> Array:
        array = _with_batch(np.array(array), 3)
        return array.swapaxes(0, 1) if option("time_major") and np.ndim(x) == 3 else array

    (layer,) = canonical.architecture.layers
    if not layer.is_bidirectional:
        canonical = _as_called(canonical, option("reverse"), option("keep_order"))
    inputs = here(np.asarray(x))
    lengths = given.get("seq_lengths")
    mask = None if lengths is None else mask_of_lengths(np.atleast_1d(np.asarray(lengths)), inputs.shape[1])
    initial = given.get("initial_carry")
    state = None if initial is None else state_here(canonical, initial)
    final = state_here(canonical, carry)
    expected, seen, why = outputs, here(outputs), ""
    if each and layer.merge != "concat":
        expected = join(layer.merge, *each)
        seen = np.concatenate([here(one) for one in each], axis=-1)
        canonical = _with_merge(canonical, "concat")
    if not np.array_equal(expected, shown, equal_nan=True):
        canonical = _with_merge(canonical, layer.merge)
        seen, why = here(shown), f"what it shows has other bits than its outputs: {NOT_SEEN}"
    return Call(canonical, inputs, Output(seen, final), state, mask, not_seen=why)


def _with_merge(canonical: Canonical, merge: str) -> Canonical:
    (layer,) = canonical.architecture.layers
    return replace(canonical, architecture=replace(canonical.architecture, layers=(replace(layer, merge=merge),)))


def _as_called(canonical: Canonical, reverse: bool, keep_order: bool) -> Canonical:
    """The layer in the direction that a call asks for."""
    (layer,) = canonical.architecture.layers
    turned = replace(layer, direction="backward" if reverse else "forward")
    aligned = "aligned" if keep_order or not reverse else "processing"
    return replace(
        canonical,
        architecture=replace(canonical.architecture, layers=(turned,)),
        choices=replace(canonical.choices, backward_outputs=aligned),
    )


def alone(survey: Survey, module: Any, arguments: Arguments) -> tuple[Any, dict[str, Any]]:
    """What a single layer is called with, in the axes and words of Flax. Raises ValueError for a mask with holes."""
    (canonical,) = survey.layers
    x, given = np.asarray(arguments.inputs), dict[str, Any]()
    if getattr(module, "time_major", False) and x.ndim == 3:
        x = x.swapaxes(0, 1)
    lengths = arguments.lengths
    if arguments.mask is not None and lengths is None:
        mask = np.asarray(arguments.mask, bool)
        lengths = mask.sum(-1)
        if (mask_of_lengths(lengths, mask.shape[1]) != mask).any():
            raise ValueError(NO_HOLES)
    if lengths is not None:
        given["seq_lengths"] = np.asarray(lengths)
    if arguments.initial_state is not None:
        given["initial_carry"] = carry_of(canonical, arguments.initial_state)
    return x, given


def carry_of(canonical: Canonical, state: State) -> Any:
    """The state of a layer as Flax has it."""
    (layer,) = canonical.architecture.layers
    each = tuple(parts if len(parts) > 1 else parts[0] for parts in state[0])
    return swapped(layer, each if layer.is_bidirectional else each[0])


def watch_nnx(model: Any, survey: Survey, arguments: Arguments) -> tuple[list[Call], Any]:
    """Each call of each recurrent layer of an NNX module, while its classes' `__call__` notes it, and what came out."""
    import jax
    from flax import nnx

    paths = dict(walk(model))
    found = {id(paths[canonical.path]): canonical for canonical in survey.layers}
    watcher = Watcher()

    def of_layer(call: Any) -> Any:
        return lambda self, x, **given: watcher.note(
            found.get(id(self)), self, lambda x, **given: call(self, x, **given), x, given
        )

    def of_cell(call: Any) -> Any:
        return lambda self, carry, x: watcher.note_cell(
            found.get(id(self)), lambda carry, x: call(self, carry, x), carry, x
        )

    cells = {type(paths[canonical.path]) for canonical in survey.layers if canonical.is_cell}
    with ExitStack() as watched:
        for kind in (nnx.RNN, nnx.Bidirectional):
            watched.enter_context(_replaced(kind, of_layer))
        for kind in cells:
            watched.enter_context(_replaced(kind, of_cell))
        if [layer.path for layer in survey.layers] == [""]:
            x, given = alone(survey, model, arguments)
            if survey.layers[0].is_cell:
                carry = given.get("initial_carry")
                result = model(
                    model.initialize_carry(x.shape, nnx.Rngs(0)) if carry is None else carry, jax.numpy.array(x)
                )
            else:
                result = model(jax.numpy.array(x), **given)
        else:
            result = model(*_jax(arguments.inputs))
    return watcher.calls, jax.tree.map(np.asarray, result)


def watch_linen(model: Any, survey: Survey, arguments: Arguments) -> tuple[list[Call], Any]:
    """Each call of each recurrent layer of ``(module, variables)``, and what came out."""
    import jax
    from flax import linen

    module, variables = model
    found = {canonical.path: canonical for canonical in survey.layers}
    watcher = Watcher()

    def noting(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        is_layer = isinstance(context.module, linen.RNN | linen.Bidirectional) and context.method_name == "__call__"
        if not is_layer:
            return call(*args, **kwargs)
        return watcher.note(found.get("/".join(context.module.path)), context.module, call, args[0], dict(kwargs))

    with linen.intercept_methods(noting):
        if [layer.path for layer in survey.layers] == [""]:
            x, given = alone(survey, module, arguments)
            result = module.apply(variables, jax.numpy.array(x), **given)
        else:
            result = module.apply(variables, *_jax(arguments.inputs))
    return watcher.calls, jax.tree.map(np.asarray, result)


def _jax(inputs: Any) -> tuple[Any, ...]:
    from jax import numpy as jnp

    return tuple(map(jnp.asarray, inputs if isinstance(inputs, tuple) else (inputs,)))


@contextmanager
def _replaced(kind: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    before = kind.__call__
    kind.__call__ = change(before)
    try:
        yield
    finally:
        kind.__call__ = before
