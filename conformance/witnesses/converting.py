"""The example of a witness in another dtype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.drawing import Drawn, draw
from rnn_conformance.conformance.witnesses.witness import Witness
from rnn_conformance.reference.arithmetic.flags import ignoring_flags


def in_dtype(witness: Witness, dtype: str) -> tuple[Witness, Sequence[str]]:
    """The same example for a layer of that dtype, and the names of the arrays whose numbers it does not have.

    These are rounded; all others hold the same numbers. An example without a case has none: it is made anew.
    """
    if dtype == witness.dtype:
        return witness, ()
    case, rounded = (None, []) if witness.case is None else _case_in(witness.case, dtype)
    changed = replace(witness, dtype=dtype, case=case, computed_in="", expected=None, actual=None)
    return changed, rounded


@ignoring_flags
def _case_in(case: Case, dtype: str) -> tuple[Case, list[str]]:
    kept = case.architecture.weights_dtype
    architecture = replace(case.architecture, dtype=dtype, weights_dtype="" if kept == dtype else kept)
    like = dict(draw(architecture, case.batch, case.timesteps, case.regime, case.seed, case.pattern).arrays())
    arrays: dict[str, np.ndarray] = {}
    rounded = []
    for name, array in case.arrays.arrays():
        arrays[name] = array.astype(like[name].dtype)
        if not np.array_equal(arrays[name].astype(array.dtype), array, equal_nan=array.dtype.kind not in "biu"):
            rounded.append(name)
    return replace(case, architecture=architecture).with_arrays(Drawn.of(arrays)), rounded
