"""A model in JAX as a SavedModel and a call of what is loaded, as a script such as one pastes into a bug report.

A script reads and sets what `Adapter` in protocol.py says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rnn_conformance.adapters.exports.jax_shapes import names_of_shapes
from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.jax.scan import adapter as _scan
from rnn_conformance.reference.model.architecture import Architecture


def script(architecture: Architecture, wants: str) -> str:
    """The script of jax.lax.scan, in which the model is saved and loaded before it is called or differentiated."""
    source = _scan.script(replace(architecture, mode="compiled"), wants)
    ours = list(_lines(architecture, wants, source.partition("\ndef model(")[2].partition("):")[0]))
    imports = ["import numpy as np", "import tensorflow as tf", "from jax import export"]
    plain = functions("exports/jax2tf_example.py", "\n".join(ours))
    head, _, rest = source.partition("\ndef model(")
    if wants == "gradients":
        model, _, after = rest.partition("\n\n\ndef loss(")
        _, call, after = after.partition("\ngradients = {")
    else:
        model, _, after = rest.partition("\n\n\noutputs")
        _, call, after = after.partition("\n")
    head = head.replace(imports[0], "\n".join(imports), 1)
    head = head.replace("import numpy as jnp\n", "import numpy as jnp\nfrom jax.experimental import jax2tf\n", 1)
    return "\n".join([f"{head}\n{plain}\n\n", f"def model({model}", "", "", *ours]) + call + after


def _lines(architecture: Architecture, wants: str, names: str) -> Iterator[str]:
    """The lines that save and load the model, whose arguments have these names, and call what was loaded."""
    weights, _, given = names.partition("inputs")
    weights, given = weights.rstrip(" "), f"inputs{given}"
    shapes = f"({names_of_shapes(architecture, given)})" if architecture.mode == "open" else "None"
    yield f"weights, given = ({weights}), ({given})"
    yield f"specs = export.symbolic_args_specs(given, {shapes})"
    kept = ", gradients=True" if wants == "gradients" else ""
    yield f'program = saved(lambda weights, *given: model(*weights, *given), weights, specs, "model"{kept})'
    if wants == "gradients":
        final = ', cotangent["final_state"]' if architecture.return_state else ""
        yield f'of_weights, of_given = pulled(program, given, (cotangent["outputs"]{final}))'
        of_weights = "".join(f"of_{name.strip()}, " for name in weights.split(",") if name).rstrip(" ")
        yield f"{of_weights} = jax.tree.unflatten(jax.tree.structure(weights), of_weights)"
        yield "of_inputs, of_initial_state, *_ = of_given"
    else:
        yield f"outputs{', final_state' if architecture.return_state else ''} = called(program, given)"
