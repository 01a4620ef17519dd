"""A call of torch's layers as a script of its own, such as one pastes into a bug report.

A script reads and sets what `Adapter` in protocol.py says. What torch has in bfloat16, which NumPy lacks, comes out as
float32, without loss; in mixed precision, where that may be wrong, as what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.torch.gates import NAMES, kind_of
from rnn_conformance.adapters.torch.model import CELL_MODES, WITHOUT_ONEDNN, is_native_stack, places
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.states import part_names
from rnn_conformance.reference.model.weights import direction_shapes

_IN_NUMPY = {"bfloat16": ".float().numpy()", "float16": ".numpy()", "float32": ".numpy()", "float64": ".numpy()"}
"""From a tensor of each dtype to an array."""

_EXPORTED = {"exported": "exported", "exported-open-batch": "openly_exported"}
"""The function of example.py that exports a module in a mode."""


def script(architecture: Architecture, wants: str) -> str:
    """Python source; `wants` is "outputs" or "gradients". Raises ValueError for anything else."""
    if wants not in ("outputs", "gradients"):
        raise ValueError(f"a script gives outputs or gradients, not {wants!r}")
    gradients = wants == "gradients"
    parts: list[Iterable[str]] = [
        modules_of(architecture),
        _arguments(architecture, gradients),
        _call(architecture),
        _gradients(architecture) if gradients else _results(architecture),
    ]
    if gradients and architecture.mode == "weight-normed":  # the gradients of the kernels, which are computed once
        indented = (f"    {line}" for part in parts[2:] for line in part)
        parts[2:] = [["with torch.nn.utils.parametrize.cached():", *indented]]
    code = "\n\n".join("\n".join(part) for part in parts) + "\n"
    imports = "\n".join(_imports(architecture))
    return f"{imports}\n\n\n{functions('torch/example.py', code)}\n\n\n{code}"


def _imports(architecture: Architecture) -> Iterator[str]:
    if architecture.mode == "reloaded":
        yield "import io"
        yield ""
    yield "import numpy as np"
    yield "import torch"
    if architecture.masking == "lengths":
        unpack = ", pad_packed_sequence" if architecture.return_sequences else ""
        yield f"from torch.nn.utils.rnn import pack_padded_sequence{unpack}"


def modules_of(architecture: Architecture) -> Iterator[str]:
    """The modules and their weights: `model` is one torch.nn.RNN, or a list of modules, one for each layer."""
    if table := architecture.embedding:
        yield f"embedding = torch.nn.Embedding({table.tokens}, {table.features}{_dtype(architecture)})"
        yield 'embedding.load_state_dict({"weight": tensor(table)})'
    yield from _modules(architecture)
    states = [
        f'{kind_of(architecture.layers[k].cell).state_of}({source}, "{where}")'
        for k, _, source, where in _directions(architecture)
    ]
    if architecture.mode == "functional":
        yield from ("weights = {", *(f"    **{state}," for state in states), "}")
        yield "weights = {name: weight.requires_grad_() for name, weight in weights.items()}"
    elif len(states) == 1:
        yield f"model.load_state_dict({states[0]})"
    else:
        yield from ("model.load_state_dict({", *(f"    **{state}," for state in states), "})")
    if architecture.mode == "reloaded":
        yield "file = io.BytesIO()"
        yield "torch.save(model.state_dict(), file)"
        yield "file.seek(0)"
        yield from _modules(architecture)
        yield "model.load_state_dict(torch.load(file, weights_only=True))"
    if architecture.mode in ("parametrised", "weight-normed"):
        yield "for module, attribute in kernels(model):"
    if architecture.mode == "parametrised":
        yield "    torch.nn.utils.parametrize.register_parametrization(module, attribute, transposed_module())"
    if architecture.mode == "weight-normed":
        yield "    torch.nn.utils.parametrizations.weight_norm(module, attribute)"
    if any(layer.dropout for layer in architecture.layers):
        yield "model.eval()"


def _modules(architecture: Architecture) -> Iterator[str]:
    layers = architecture.layers
    if is_native_stack(architecture):
        yield f"model = {_module(architecture, layers[0], len(layers))}"
    else:
        yield "model = torch.nn.ModuleList(["
        yield from (f"    {_module(architecture, layer, 1)}," for layer in layers)
        yield "])"


def _module(architecture: Architecture, layer: Layer, num_layers: int) -> str:
    cell = architecture.mode in CELL_MODES
    dropout = architecture.layers[-1].dropout if num_layers > 1 else 0
    projection = layer.cell.projection if isinstance(layer.cell, Lstm) else 0
    words = [
        str(layer.features),
        str(layer.units),
        str(num_layers) if num_layers > 1 else "",
        "" if cell else "batch_first=True",
        "" if layer.cell.activation == "tanh" else f'nonlinearity="{layer.cell.activation}"',
        "" if layer.use_bias else "bias=False",
        "bidirectional=True" if layer.is_bidirectional else "",
        f"dropout={dropout}" if dropout else "",
        f"proj_size={projection}" if projection else "",
    ]
    kind = kind_of(layer.cell)
    name = kind.cell if cell else kind.layer
    return f"torch.nn.{name}({', '.join(filter(None, words))}{_dtype(architecture)})"


def _arguments(architecture: Architecture, gradients: bool) -> Iterator[str]:
    grad = ".requires_grad_()" if gradients else ""
    if architecture.embedding is not None:
        yield "x = tensor(inputs)"
    else:
        yield f"x = tensor(inputs){grad}"
    change = f"lambda part: tensor(part){grad}" if grad else "tensor"
    yield f"state = initial_state and [[each_part({change}, h) for h in layer] for layer in initial_state]"


def _call(architecture: Architecture) -> Iterator[str]:
    """From `x` and `state` to `y` and, where it is of use, `final`: for each layer the state of each direction."""
    lines = list(_forward(architecture))
    if architecture.mode == WITHOUT_ONEDNN:
        yield "with torch.backends.mkldnn.flags(enabled=False):"
        lines = [f"    {line}" for line in lines]
    if architecture.weights_dtype:
        yield f'with torch.autocast("cpu", dtype=torch.{architecture.dtype}):'
        lines = [f"    {line}" for line in lines]
    yield from lines


def _forward(architecture: Architecture) -> Iterator[str]:
    packed = architecture.masking == "lengths"
    x = "embedding(x)" if architecture.embedding else "x"
    if packed:
        yield f"packed = pack_padded_sequence({x}, tensor(lengths), batch_first=True, enforce_sorted=False)"
        x = "packed"
    if architecture.mode in CELL_MODES:
        yield from _steps(architecture, x)
    elif is_native_stack(architecture):
        yield from _stack(architecture, x)
    else:
        yield _layer_by_layer(architecture, x)
    if packed and architecture.return_sequences:
        yield "y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])"
    if not architecture.return_sequences:
        joins = _joins_final_states(architecture)
        yield "y = torch.cat([parts(h)[0] for h in final[-1]], -1)" if joins else "y = y[..., -1, :]"


def _joins_final_states(architecture: Architecture) -> bool:
    """Whether the last output is made of the final states, because it is not the last of the outputs."""
    is_last = architecture.masking == "none" and not architecture.layers[-1].is_bidirectional
    return not architecture.return_sequences and not is_last


def _stack(architecture: Architecture, x: str) -> Iterator[str]:
    """One torch.nn.RNN of all layers."""
    yield "h_0 = None if state is None else stacked([h for layer in state for h in layer])"
    function = _EXPORTED.get(architecture.mode)
    if architecture.mode == "functional":
        yield f"y, h_n = torch.func.functional_call(model, weights, ({x}, h_0))"
    else:
        yield f"y, h_n = {f'{function}(model)' if function else 'model'}({x}, h_0)"
    if architecture.return_state or _joins_final_states(architecture):
        if architecture.layers[0].is_bidirectional:
            yield "final = unstacked(h_n)"
            yield "final = list(zip(final[::2], final[1::2]))"
        else:
            yield "final = [(h,) for h in unstacked(h_n)]"


def _layer_by_layer(architecture: Architecture, x: str) -> str:
    layers = "functional(model, weights)" if architecture.mode == "functional" else "model"
    if function := _EXPORTED.get(architecture.mode):
        layers = f"map({function}, model)"
    return f"y, final = in_turn({layers}, {x}, state)"


def _steps(architecture: Architecture, x: str) -> Iterator[str]:
    if architecture.mode == "vmapped":
        yield "axes = 0, None if state is None else 0"
        yield f"y, final = torch.vmap(lambda x, state: stepped(model, x, state), axes)({x}, state)"
        return
    cells = "model"
    if architecture.mode == "compiled":
        cells = "cells"
        yield "cells = [torch.compile(cell, fullgraph=True, dynamic=True) for cell in model]"
    yield f"y, final = stepped({cells}, {x}, state)"


def _results(architecture: Architecture) -> Iterator[str]:
    if architecture.weights_dtype and architecture.dtype == "bfloat16":
        change, outputs = "in_numpy", "in_numpy(y)"
    else:
        detach = f".detach(){_IN_NUMPY[architecture.dtype]}"
        change, outputs = f"lambda part: part{detach}", f"y{detach}"
    yield f"outputs = {outputs}"
    if architecture.return_state:
        yield f"final_state = [tuple(each_part({change}, h) for h in layer) for layer in final]"


def _gradients(architecture: Architecture) -> Iterator[str]:
    yield "of = {"
    if architecture.embedding is not None:
        yield '    "embedding": embedding.weight,'
    swapped = []
    for k, j, _, where in _directions(architecture):
        layer = architecture.layers[k]
        for part in direction_shapes(layer):
            name = name_of("layers", k, j, part)
            yield f'    "{name}": {_parameter(architecture, where, NAMES[part])},'
            if architecture.mode == "parametrised" and part in "WU":
                swapped.append(f'gradients["{name}"] = gradients["{name}"].T')
            if order := kind_of(layer.cell).order:
                swapped.append(f'gradients["{name}"] = {order}(gradients["{name}"])')
    if architecture.embedding is None:
        yield '    "inputs": x,'
    yield "}"
    yield "if state is not None:"
    for k, j, _, _ in _directions(architecture):
        of = (f'of["{name}"]' for name in part_names("initial_state", k, j, len(architecture.layers[k].cell.parts)))
        yield f"    {', '.join(of)} = state[{k}][{j}]"
    yield 'results, cotangents = [y], [tensor(cotangent["outputs"])]'
    if architecture.return_state:
        yield "results += [part for layer in final for h in layer for part in parts(h)]"
        yield 'cotangents += [tensor(part) for layer in cotangent["final_state"] for h in layer for part in parts(h)]'
    yield "found = torch.autograd.grad(results, list(of.values()), cotangents)"
    yield f"gradients = {{name: g{_IN_NUMPY[architecture.dtype]} for name, g in zip(of, found)}}"
    yield from swapped


def _parameter(architecture: Architecture, where: str, name: str) -> str:
    """The parameter of which a weight's gradient is taken."""
    place = where.format(name)
    if architecture.mode == "functional":
        return f'weights["{place}"]'
    if architecture.mode == "parametrised" and name.startswith("weight_"):
        module, _, attribute = place.rpartition(".")
        place = ".".join(filter(None, (module, "parametrizations", attribute, "original")))
    if architecture.mode == "weight-normed" and name.startswith("weight_"):
        module, _, attribute = place.rpartition(".")
        return f'model.get_submodule("{module}").{attribute}'
    return f'model.get_parameter("{place}")'


def _directions(architecture: Architecture) -> Iterator[tuple[int, int, str, str]]:
    """Each direction: its layer, its number there, where the script has its arrays, and torch's names in `model`."""
    prefix = "layers.0." if is_native_stack(architecture) else "layers."
    for k, directions in enumerate(places(architecture)):
        for j, where in enumerate(directions):
            yield k, j, f'layers[{k}]["backward"]' if j else f"layers[{k}]", where.removeprefix(prefix)


def _dtype(architecture: Architecture) -> str:
    """The argument `dtype` of a module, or nothing if it is the default."""
    kept = architecture.weights_dtype or architecture.dtype
    return "" if kept == "float32" else f", dtype=torch.{kept}"
