"""A call of TensorFlow.js as a script of its own, such as one pastes into a bug report: Python gives Node the arrays.

A script reads and sets what `Adapter` in protocol.py says. The program in it is JavaScript, of TensorFlow.js alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rnn_conformance.adapters.tensorflowjs.program import program
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.states import part_names
from rnn_conformance.reference.model.weights import direction_shapes

_FOUND = "np.array({value}, dtype=object).astype(np.float32)"
"""An array of what JavaScript wrote, in which a number that is not finite is a text."""


def script(architecture: Architecture, wants: str) -> str:
    """Python source; `wants` is "outputs" or "gradients". Raises ValueError for anything else."""
    if wants not in ("outputs", "gradients"):
        raise ValueError(f"a script gives outputs or gradients, not {wants!r}")
    gradients = wants == "gradients"
    lines = ["import json", "import subprocess", "", "import numpy as np", "", ""]
    lines += ["def lists(array):", "    return np.asarray(array).tolist()", "", ""]
    lines += ["given = {", *(f"    {line}," for line in _given(architecture, gradients)), "}"]
    lines += ['program = r"""', *program(architecture, gradients), '"""']
    lines += ["# In a folder in which `npm install @tensorflow/tfjs` was run; the text is an object of JavaScript."]
    lines += ['text = json.dumps(given).replace("null", "undefined")']
    lines += ['done = subprocess.run(["node", "-e", program], input=text, capture_output=True, text=True, check=True)']
    lines += ["result = json.loads(done.stdout.splitlines()[-1])"]
    lines += _gradients(architecture) if gradients else _outputs(architecture)
    return "\n".join(lines) + "\n"


def _given(architecture: Architecture, gradients: bool) -> Iterator[str]:
    """The entries of the object that the program reads, kernels the other way round, as TensorFlow.js keeps them."""
    kept = [
        "["
        + ", ".join(f"lists({one}[{name!r}].T)" for one in _directions(k, layer) for name in direction_shapes(layer))
        for k, layer in enumerate(architecture.layers)
    ]
    table = "[lists(table)], " if architecture.embedding else ""
    yield f'"weights": [{table}{", ".join(f"{each}]" for each in kept)}]'
    yield '"inputs": lists(inputs)'
    yield f'"states": initial_state and {_flat(architecture, "initial_state")}'
    if architecture.masking == "mask":
        yield '"mask": lists(mask)'
    if gradients:
        yield '"cotangent": lists(cotangent["outputs"])'
    if gradients and architecture.return_state:
        yield '"of_states": ' + _flat(architecture, 'cotangent["final_state"]')


def _directions(k: int, layer: Any) -> list[str]:
    return [f"layers[{k}]", f'layers[{k}]["backward"]'] if layer.is_bidirectional else [f"layers[{k}]"]


def _flat(architecture: Architecture, state: str) -> str:
    """The arrays of a state in a list for each layer: of each direction one, or several parts."""
    if all(len(layer.cell.parts) == 1 for layer in architecture.layers):
        return f"[[lists(h) for h in layer] for layer in {state}]"
    parts = "part if isinstance(part, tuple) else (part,)"
    return f"[[lists(h) for part in layer for h in ({parts})] for layer in {state}]"


def _outputs(architecture: Architecture) -> Iterator[str]:
    yield "outputs = " + _FOUND.format(value='result["outputs"]')
    if architecture.return_state:
        yield f'states = [[{_FOUND.format(value="h")} for h in layer] for layer in result["final"]]'
        yield f"final_state = [{', '.join(_nested(architecture))}]"


def _nested(architecture: Architecture) -> Iterator[str]:
    """The state of each layer, out of the list of its arrays: by direction and, if it has several, by part."""
    for k, layer in enumerate(architecture.layers):
        count = len(layer.cell.parts)
        names = [[f"states[{k}][{j * count + n}]" for n in range(count)] for j in range(1 + layer.is_bidirectional)]
        told = [f"({', '.join(each)})" if count > 1 else each[0] for each in names]
        yield f"({', '.join(told)},)"


def _gradients(architecture: Architecture) -> Iterator[str]:
    """The arrays of a list by the names of `Gradients.arrays`, kernels as the specification has them."""
    names = ["embedding"] if architecture.embedding else []
    states = []
    for k, layer in enumerate(architecture.layers):
        for j in range(1 + layer.is_bidirectional):
            names += [name_of("layers", k, j, part) for part in direction_shapes(layer)]
            states += part_names("initial_state", k, j, len(layer.cell.parts))
    yield f"weights = {json.dumps(names)}"
    yield f"others = {json.dumps([*([] if architecture.embedding else ['inputs']), *states])}"
    yield f"arrays = [{_FOUND.format(value='value')} for value in result]"
    yield "gradients = dict(zip([*weights, *others], arrays))"
    yield 'gradients.update((name, gradients[name].T) for name in weights if name != "embedding")'
