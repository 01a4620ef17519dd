"""An export of PyTorch's layers and a call of what it gives, as a script such as one pastes into a bug report.

A script reads and sets what `Adapter` in protocol.py says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.torch.model import is_native_stack
from rnn_conformance.adapters.torch.script import modules_of
from rnn_conformance.reference.model.architecture import Architecture


def script(architecture: Architecture, wants: str, runtime: str) -> str:
    """Python source. Raises ValueError where `wants` is not "outputs": what is exported has no gradients."""
    if wants != "outputs":
        raise ValueError(f"a script gives outputs or gradients, of which an export has none, and not {wants!r}")
    code = "\n".join([*_lines(architecture, runtime)])
    imports = ["import numpy as np", f"import {runtime}", "import torch", "from onnx import numpy_helper"]
    return "\n".join(imports) + f"\n\n\n{functions('exports/torch_example.py', code)}\n\n\n{code}\n"


def _lines(architecture: Architecture, runtime: str) -> Iterator[str]:
    eager = replace(architecture, mode="eager")
    one = is_native_stack(eager)
    yield from modules_of(eager)
    table = ", embedding" if architecture.embedding else ""
    yield f"module = whole({'[model]' if one else 'model'}{table})"
    yield "state = initial_state and [[h if isinstance(h, tuple) else (h,) for h in layer] for layer in initial_state]"
    if one:
        yield "modules = [[h for layer in state for h in layer]] if state else []"
    else:
        yield "modules = state or []"
    yield "given = [inputs, *(np.stack(part) for module in modules for part in zip(*module))]"
    if architecture.mode == "open-batch":
        yield 'batch = torch.export.Dim("batch")'
        yield "axes = [{0: batch}, *({1: batch} for _ in given[1:])]"
        yield "other = [torch.zeros(3, *inputs.shape[1:], dtype=torch.tensor(inputs).dtype)]"
        yield "other += [torch.zeros(len(h), 3, h.shape[-1]) for h in given[1:]]"
        yield "model = exported(module, other, axes)"
    else:
        yield "model = exported(module, [torch.tensor(array) for array in given])"
    if runtime == "openvino":
        yield "network = openvino.Core().read_model(model.SerializeToString())"
        yield """compiled = openvino.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})"""
        yield "results = list(compiled(given).values())"
    else:
        yield "results = run(model, given)"
    yield "outputs, *final = results"
    parts = len(architecture.layers[0].cell.parts)
    width = 1 + architecture.layers[0].is_bidirectional
    if architecture.return_state or (not architecture.return_sequences and width == 2):
        yield f"final = [list(zip(*final[k : k + {parts}])) for k in range(0, len(final), {parts})]"
        if one:
            yield f"final = [final[0][k : k + {width}] for k in range(0, len(final[0]), {width})]"
    if not architecture.return_sequences:
        last = "np.concatenate([h[0] for h in final[-1]], -1)" if width == 2 else "outputs[:, -1]"
        yield f"outputs = {last}"
    if architecture.return_state:
        each = "h[0]" if parts == 1 else "h"
        yield f"final_state = [tuple({each} for h in layer) for layer in final]"
