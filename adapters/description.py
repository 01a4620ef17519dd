"""What an adapter says of its framework, and the words that it may use."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.rounding import Precision, standard_precision
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Choices

FEATURES = (
    "no bias",
    "single sequence",
    "initial state",
    "final state",
    "stack",
    "embedding",
    "symbolic shapes",
    "parameter count",
    "any size",
)
"""What every adapter is taken to offer, unless its description says that it does not, with a reason."""


EXTRAS = (
    "symbolic state shapes",
    "lengths",
    "mask",
    "mask_zero",
    "backward",
    "bidirectional",
    "merge modes",
    "stateful",
    "gradients",
    "double backward",
    "training step",
    "dropout",
    "recurrent dropout",
    "mixed precision",
    "projection",
)
"""What an adapter offers only if its description says so, in `offers`; a reason in `unsupported` says why not."""


DTYPES = ("float16", "bfloat16", "float32", "float64")


CONVENTIONS = {
    "W": "where the input kernel is kept, and its shape there",
    "U": "where the recurrent kernel is kept, and its shape there",
    "b": "where the bias is kept, and its shape there",
    "orientation": "whether W and U are kept `as they are` in SPEC.md, or `transposed`",
    "gates": "the order of the gates of an LSTM and of a GRU, which are stacked in W, U and the biases",
    "biases": "how many biases a layer has, and what becomes of those beside b",
    "load": "the call that puts arrays into the parameters",
    "read": "the call that gets them out",
    "time axis": "which axis of inputs and outputs is time",
    "state": "the shape of initial and final states",
    "padding": "how a call is told which timesteps are valid",
    "backward": "how a layer is made to run from the end",
    "both directions": "where a bidirectional layer keeps its two sets of weights",
    "embedding": "where the table is kept, and its shape there",
}
"""The conventions that an adapter can declare, with what each of them says."""


EXAMPLE_SETS = ("outputs", "W_read", "U_read", "b_read")
"""The variables that `Description.example` leaves behind."""


@dataclass(frozen=True)
class Description:
    """What an adapter says of its framework; every line of it is shown in the reports, and the checks hold it to it.

    `modes` names the ways to run a layer; the first gets the full number of examples, the others fewer. `ways` names
    further ones, which are tried where features are crossed (chapter 12) and nowhere else. In those that are
    `rounding`, a framework keeps other numbers than weights, such as their lengths and directions: what comes out is
    judged from the weights as they are read back.
    `precision` maps each dtype that the framework has to its arithmetic. `offers` lists those of EXTRAS that there are;
    `unsupported` gives a reason for each of FEATURES and EXTRAS, for each dtype, cell and activation that the framework
    lacks. `choices` says what it does where the specification leaves a choice.

    `cells` names the kinds of cells that there are, `activations` what can be the activation of a candidate. Which
    choices a cell leaves to the user, `variants` says: it lists every cell of that name that can be built, the usual
    one first, such as ``Gru(reset="before")``; of a cell that is not among them there is the usual one with each of the
    activations. Why a variant is lacking, `unsupported` says by the cell and the word for the choice, such as ``gru
    reset after`` (`Cell.words`).

    The weight-convention atlas is made of `conventions`, which says by the names of CONVENTIONS, in words, where W, U
    and b live; of `notes`, which says by any name what else there is to know; and of `example`, a script such as a user
    would write. That reads the float32 arrays `W` (units, features), `U` (units, units), `b` (units,) and `x` (batch,
    timesteps, features), loads a tanh layer of the framework with them, runs it to `outputs` (batch, timesteps, units),
    and reads the weights back as `W_read`, `U_read` and `b_read`. `examples` has such a script for each other cell, by
    its name and for its usual variant, with the gates in the order of SPEC.md; where that one has a recurrent bias,
    the script reads `c`, too, and leaves `c_read` behind. In words, `code` stands between backticks.

    Raises ValueError for a key that is none of these, for a feature both offered and unsupported, and for an example
    that is no Python or leaves one of its variables unset.
    """

    framework: str
    versions: Mapping[str, str]
    modes: tuple[str, ...] = ("eager",)
    ways: tuple[str, ...] = ()
    rounding: tuple[str, ...] = ()
    device: str = "cpu"
    precision: Mapping[str, Precision] = field(
        default_factory=lambda: {dtype: standard_precision(dtype) for dtype in ("float32", "float64")}
    )
    cells: tuple[str, ...] = ("simple_rnn",)
    activations: tuple[str, ...] = ("tanh", "relu", "linear", "sigmoid")
    variants: tuple[Cell, ...] = ()
    offers: tuple[str, ...] = ()
    unsupported: Mapping[str, str] = field(default_factory=dict)
    choices: Choices = Choices()
    conventions: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    example: str = ""
    examples: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {*FEATURES, *EXTRAS, *DTYPES, *CELLS, *ACTIVATIONS}
        variants = {reason for reason in self.unsupported if reason.partition(" ")[0] in CELLS}
        if wrong := sorted(set(self.unsupported) - known - variants):
            raise ValueError(f"unsupported names {wrong}, but only these can be declared: {sorted(known)}")
        if wrong := sorted(set(self.offers) - set(EXTRAS)):
            raise ValueError(f"offers names {wrong}, but only these can be offered: {', '.join(EXTRAS)}")
        if both := sorted(set(self.offers) & set(self.unsupported)):
            raise ValueError(f"{', '.join(both)}: both offered and unsupported")
        if wrong := [way for way in self.rounding if way not in self.ways]:
            raise ValueError(f"rounding names {', '.join(wrong)}, which ways does not name")
        if not self.modes or not self.precision or not self.cells:
            raise ValueError("a description needs at least one mode, one dtype and one cell")
        if wrong := sorted(set(self.cells) - set(CELLS)):
            raise ValueError(f"cells names {wrong}, but the cells are {', '.join(CELLS)}")
        if wrong := sorted({cell.name for cell in self.variants} - set(self.cells)):
            raise ValueError(f"variants has {', '.join(wrong)}, which cells does not name")
        if wrong := sorted(set(self.conventions) - set(CONVENTIONS)):
            raise ValueError(
                f"conventions names {wrong}, but the conventions are {', '.join(CONVENTIONS)}; "
                "what else there is to say stands in notes"
            )
        for example in filter(None, (self.example, *self.examples.values())):
            _check_example(example)
        if wrong := sorted(set(self.examples) - set(self.cells)):
            raise ValueError(f"examples has {', '.join(wrong)}, which cells does not name")

    def lacks(self, feature: str) -> str:
        """Why there is no such feature, dtype, cell or activation; empty if there is."""
        if reason := self.unsupported.get(feature):
            return reason
        if (
            (feature in EXTRAS and feature not in self.offers)
            or (feature in DTYPES and feature not in self.precision)
            or (feature in CELLS and feature not in self.cells)
            or (feature in ACTIVATIONS and feature not in self.activations)
        ):
            return f"the adapter does not offer {feature}"
        return ""

    def variants_of(self, cell: str) -> tuple[Cell, ...]:
        """Every cell of that name that can be built, the usual one first; none if there is no such cell."""
        if self.lacks(cell):
            return ()
        listed = tuple(variant for variant in self.variants if variant.name == cell)
        return listed or tuple(CELLS[cell](activation) for activation in self.activations)

    def lacks_variant(self, cell: Cell) -> str:
        """Why there is no such cell with these choices; empty if there is.

        A projection is a feature, and no choice: its width is a number like that of the units.
        """
        if isinstance(cell, Lstm):
            cell = replace(cell, projection=0)
        offered = self.variants_of(cell.name)
        if cell in offered:
            return ""
        had = {word for variant in offered for word in variant.words}
        # What no variant has comes first: the others are lacking only in this company.
        words = sorted(cell.words, key=had.__contains__)
        reasons = (self.unsupported.get(f"{cell.name} {word}", "") for word in words)
        told = f"of {cell.name} the adapter offers {' or '.join(map(str, offered))}, and not {cell}"
        return self.lacks(cell.name) or next(filter(None, reasons), told)


@cache  # an adapter may be asked for its description often
def _check_example(example: str) -> None:
    try:
        tree = ast.parse(example)
    except SyntaxError as error:
        raise ValueError(f"example is no Python: line {error.lineno}: {error.msg}") from None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if unset := [name for name in EXAMPLE_SETS if name not in names]:
        raise ValueError(f"example should set {', '.join(EXAMPLE_SETS)}, but does not set {', '.join(unset)}")
