"""The script that takes a layer from one framework to another, of the bodies of plain modules (inlining.py)."""

from __future__ import annotations

from rnn_conformance.adapters.inlining import joined
from rnn_conformance.adapters.porting.biases import STEPS
from rnn_conformance.adapters.porting.ends import Place


def script(cell: str, source: Place, target: Place) -> str:
    """Python source that loads the weights of a layer into one of another framework, and runs both.

    It needs nothing but the two frameworks. Where Keras is one of them, it is on a backend that the other one has.
    """
    step = STEPS[cell][source.ends[cell].biases, target.ends[cell].holds]
    code = joined(
        [
            ("porting/both.py", f"{cell}_given"),
            (source.module, f"{cell}_source"),
            ("porting/biases.py", step.__name__),
            (target.module, f"{cell}_target"),
            ("porting/both.py", "compared"),
        ]
    )
    backend = source.backend or target.backend
    return (
        f'import os\n\nos.environ["KERAS_BACKEND"] = "{backend}"  # before Keras is imported\n{code}'
        if backend
        else code
    )
