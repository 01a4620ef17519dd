"""What a model is: its layers and weights, what it is given and what it returns.

Everything here is a frozen dataclass over NumPy arrays. The words are those of SPEC.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn

DIRECTIONS = ("forward", "backward", "bidirectional")
MERGES = ("concat", "sum", "mul", "ave")
"""How a bidirectional layer joins the outputs of its two directions (clauses 10.3 and 10.4)."""

MASKINGS = ("none", "lengths", "mask")
"""What a call is given beside its inputs: nothing, a length for each sequence, or a mask (chapter 9)."""


@dataclass(frozen=True)
class Embedding:
    """A table with one row of `features` numbers for each of `tokens` tokens; token 0 may stand for padding."""

    tokens: int
    features: int
    mask_zero: bool = False

    def __str__(self) -> str:
        return f"Embedding({self.tokens}, {self.features}{', mask_zero' if self.mask_zero else ''})"


@dataclass(frozen=True)
class Layer:
    """A cell run over time, from `features` numbers a timestep to `units` numbers a timestep in each direction.

    `dropout` and `recurrent_dropout` are rates, and have an effect in training only (chapter 13): the one on the
    layer's inputs, the other on h_{t-1}.
    """

    features: int
    units: int
    cell: Cell = SimpleRnn()
    use_bias: bool = True
    direction: str = "forward"
    merge: str = "concat"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0

    @property
    def is_bidirectional(self) -> bool:
        return self.direction == "bidirectional"

    @property
    def of_direction(self) -> int:
        """How many numbers a timestep each direction of it puts out."""
        return self.cell.widths(self.units)["h"]

    @property
    def width(self) -> int:
        """How many numbers a timestep the layer puts out."""
        return 2 * self.of_direction if self.is_bidirectional and self.merge == "concat" else self.of_direction

    def __str__(self) -> str:
        words = [
            str(self.cell),
            "" if self.use_bias else "no bias",
            "" if self.direction == "forward" else self.direction,
            self.merge if self.is_bidirectional else "",
            f"dropout {self.dropout:g}" if self.dropout else "",
            f"recurrent dropout {self.recurrent_dropout:g}" if self.recurrent_dropout else "",
        ]
        return f"{self.cell.name}({self.features} -> {self.units}, {', '.join(filter(None, words))})"


@dataclass(frozen=True)
class Architecture:
    """All that an adapter needs to know in order to build a model.

    `mode` is one of the adapter's own ways to run a layer. `masking` is one of MASKINGS. `weights_dtype` is there for
    mixed precision: what weights are kept in, where that is not `dtype`. `batch` and `timesteps` are known where a
    framework has to know them (a stateful model its batch, an unrolled one its timesteps) or is asked what comes of it
    (`symbolic_shape`), and else None.

    Raises ValueError where the layers do not fit one another.
    """

    layers: tuple[Layer, ...]
    embedding: Embedding | None = None
    dtype: str = "float32"
    return_sequences: bool = True
    return_state: bool = False
    batched: bool = True
    mode: str = "eager"
    masking: str = "none"
    stateful: bool = False
    weights_dtype: str = ""
    batch: int | None = None
    timesteps: int | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("an architecture needs at least one layer")
        width = self.embedding.features if self.embedding else self.layers[0].features
        for k, layer in enumerate(self.layers):
            if layer.features != width:
                raise ValueError(f"layer {k} reads {layer.features} features but is given {width}")
            width = layer.width

    @property
    def is_masked(self) -> bool:
        """Whether some timesteps of a call may not be valid, be it by its lengths, its mask or its tokens."""
        return self.masking != "none" or (self.embedding is not None and self.embedding.mask_zero)

    def __str__(self) -> str:
        parts = [str(part) for part in (self.embedding, *self.layers) if part is not None]
        words = [
            self.dtype,
            f"weights {self.weights_dtype}" if self.weights_dtype else "",
            self.mode,
            ("all outputs" if self.return_sequences else "last output") + (" and state" if self.return_state else ""),
            "" if self.masking == "none" else f"with {self.masking}",
            "stateful" if self.stateful else "",
            "" if self.batched else "single sequence",
        ]
        return f"{' -> '.join(parts)}, {', '.join(filter(None, words))}"


@dataclass(frozen=True)
class Choices:
    """Where frameworks differ and none is wrong, what this one does (clauses 9.4, 10.2, 13.5 and 13.8).

    `padded_outputs`: ``zero``, ``repeat`` the output before, or ``continue`` as if the timestep were valid; and
    `bidirectional_padded_outputs` where bidirectional layers have another choice.
    `backward_outputs`: ``aligned`` with the input, or in the order of ``processing``.
    `dropout_mask`: ``fixed`` for all timesteps of a call, or ``fresh`` at each.
    `dropout_gates`: one mask of the inputs ``shared`` by all gates of a cell; each gate its ``own``; or ``own beside
    recurrent dropout``, and a shared one in layers without that.
    `recurrent_dropout_gates`: one mask of the state ``shared`` by all gates, or each gate its ``own``.

    Raises ValueError for any other word.
    """

    padded_outputs: str = "zero"
    backward_outputs: str = "aligned"
    dropout_mask: str = "fixed"
    bidirectional_padded_outputs: str = ""
    dropout_gates: str = "shared"
    recurrent_dropout_gates: str = "shared"

    def __post_init__(self) -> None:
        for name, offered in (
            ("padded_outputs", ("zero", "repeat", "continue")),
            ("bidirectional_padded_outputs", ("", "zero", "repeat", "continue")),
            ("backward_outputs", ("aligned", "processing")),
            ("dropout_mask", ("fixed", "fresh")),
            ("dropout_gates", ("shared", "own", "own beside recurrent dropout")),
            ("recurrent_dropout_gates", ("shared", "own")),
        ):
            if getattr(self, name) not in offered:
                raise ValueError(f"{name} is {getattr(self, name)!r}, but should be one of {', '.join(offered)}")

    def for_layer(self, layer: Layer) -> Choices:
        """The same, with `padded_outputs` as this layer has it."""
        if layer.is_bidirectional and self.bidirectional_padded_outputs:
            return replace(self, padded_outputs=self.bidirectional_padded_outputs)
        return self

    def masks(self, layer: Layer) -> tuple[int, int]:
        """How many masks a timestep of this layer has, of its inputs and of its state: one, or one for each gate.

        Where nothing is dropped it is one.
        """
        gates = len(layer.cell.gates)
        beside = self.dropout_gates != "shared" and layer.recurrent_dropout != 0
        own = (self.dropout_gates == "own" or beside, self.recurrent_dropout_gates == "own")
        inputs, state = (
            gates if each and rate else 1
            for each, rate in zip(own, (layer.dropout, layer.recurrent_dropout), strict=True)
        )
        return inputs, state
