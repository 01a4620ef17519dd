"""Where PyTorch, Keras, Flax NNX and Flax Linen keep the weights of an LSTM and of a GRU: both ends of a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class End:
    """One layer of one framework, in words with `code` between backticks.

    `order` is that of the stacked gates, empty where each gate has arrays of its own, by its name. `kept` says how the
    kernels stand beside those of SPEC.md. `biases` names those that the usual layer has, and `holds` those that the
    layer of the script can be given: ``one`` or ``two`` of an LSTM; of a GRU, beside b, a recurrent bias of ``all``
    gates, of the ``candidate`` alone, or of ``none``. `parts` are those of the state, in the order of the framework.
    """

    layer: str
    W: str
    U: str
    kept: str
    gates: str
    order: str
    bias: str
    biases: str
    state: str
    parts: Sequence[str]
    starts: str = ""
    holds_more: str = ""

    @property
    def holds(self) -> str:
        return self.holds_more or self.biases


@dataclass(frozen=True)
class Place:
    """A framework from or to which a layer is taken; `module` is the plain module with its part of a script.

    `keras_on` is the backend on which Keras shares a process with it at no cost, `backend` the one that Keras is on, if
    this is Keras. `directions` says where the two layers of a bidirectional one are, `padded` what stands in the
    outputs at padded timesteps.
    """

    name: str
    framework: str
    module: str
    ends: Mapping[str, End]
    directions: str
    padded: str
    keras_on: str = ""
    backend: str = ""


TORCH = Place(
    "torch",
    "PyTorch",
    "torch/porting.py",
    {
        "lstm": End(
            layer="`torch.nn.LSTM`",
            W="`weight_ih_l0`, `(4 * units, features)`",
            U="`weight_hh_l0`, `(4 * units, units)`",
            kept="as they are",
            gates="i, f, g, o",
            order="ifgo",
            bias="two, which are added: `bias_ih_l0` and `bias_hh_l0`, each `(4 * units,)`",
            biases="two",
            state="`(h_n, c_n)`, each `(1, batch, units)`",
            parts="hc",
            starts="at random, like the others",
        ),
        "gru": End(
            layer="`torch.nn.GRU`",
            W="`weight_ih_l0`, `(3 * units, features)`",
            U="`weight_hh_l0`, `(3 * units, units)`",
            kept="as they are",
            gates="r, z, n",
            order="rzn",
            bias="two: `bias_ih_l0` and `bias_hh_l0`, each `(3 * units,)`; the rows of n in the second are multiplied "
            "by r",
            biases="all",
            state="`h_n`, `(1, batch, units)`",
            parts="h",
        ),
    },
    directions="the same names with `_reverse` at their end",
    padded="zero, with a packed sequence",
    keras_on="torch",
)

KERAS = Place(
    "keras",
    "Keras",
    "keras/porting.py",
    {
        "lstm": End(
            layer="`keras.layers.LSTM`",
            W="`kernel`, `(features, 4 * units)`",
            U="`recurrent_kernel`, `(units, 4 * units)`",
            kept="transposed",
            gates="i, f, g, o (Keras calls g c)",
            order="ifgo",
            bias="one: `bias`, `(4 * units,)`",
            biases="one",
            state="h, and c after it, each `(batch, units)`",
            parts="hc",
            starts="at 1, with `unit_forget_bias`",
        ),
        "gru": End(
            layer="`keras.layers.GRU`, `reset_after=True`",
            W="`kernel`, `(features, 3 * units)`",
            U="`recurrent_kernel`, `(units, 3 * units)`",
            kept="transposed",
            gates="z, r, n (Keras calls n h)",
            order="zrn",
            bias="two, in one array: `bias`, `(2, 3 * units)`; of its second row, what belongs to n is multiplied by r",
            biases="all",
            state="h, `(batch, units)`",
            parts="h",
        ),
    },
    directions="`Bidirectional.forward_layer` and `.backward_layer`",
    padded="the output before, under a mask",
)

NNX = Place(
    "flax-nnx",
    "Flax NNX",
    "flax/nnx_porting.py",
    {
        "lstm": End(
            layer="`flax.nnx.RNN` over `OptimizedLSTMCell`",
            W="`cell.dense_i.kernel`, `(features, 4 * units)`",
            U="`cell.dense_h.kernel`, `(units, 4 * units)`",
            kept="transposed",
            gates="i, f, g, o",
            order="ifgo",
            bias="one: `cell.dense_h.bias`, `(4 * units,)`",
            biases="one",
            state="`(c, h)`, each `(batch, units)`",
            parts="ch",
            starts="at 0, like the others",
        ),
        "gru": End(
            layer="`flax.nnx.RNN` over `GRUCell`",
            W="`cell.dense_i.kernel`, `(features, 3 * units)`",
            U="`cell.dense_h.kernel`, `(units, 3 * units)`",
            kept="transposed",
            gates="r, z, n",
            order="rzn",
            bias="one: `cell.dense_i.bias`, `(3 * units,)`; `dense_h` has none",
            biases="none",
            holds_more="all",
            state="h, `(batch, units)`",
            parts="h",
        ),
    },
    directions="`Bidirectional.forward_rnn` and `.backward_rnn`",
    padded="what the cell makes of the padding, with `seq_lengths`",
    keras_on="jax",
)

LINEN = Place(
    "flax-linen",
    "Flax Linen",
    "flax/linen_porting.py",
    {
        "lstm": End(
            layer="`flax.linen.RNN` over `LSTMCell`",
            W='`params["cell"]["ii"]["kernel"]`, `"if"`, `"ig"`, `"io"`, each `(features, units)`',
            U='`params["cell"]["hi"]["kernel"]`, `"hf"`, `"hg"`, `"ho"`, each `(units, units)`',
            kept="transposed",
            gates="by name: i, f, g, o",
            order="",
            bias='one: beside the recurrent kernels, `params["cell"]["hi"]["bias"]` and so on, each `(units,)`',
            biases="one",
            state="`(c, h)`, each `(batch, units)`",
            parts="ch",
            starts="at 0, like the others",
        ),
        "gru": End(
            layer="`flax.linen.RNN` over `GRUCell`",
            W='`params["cell"]["iz"]["kernel"]`, `"ir"`, `"in"`, each `(features, units)`',
            U='`params["cell"]["hz"]["kernel"]`, `"hr"`, `"hn"`, each `(units, units)`',
            kept="transposed",
            gates="by name: z, r, n",
            order="",
            bias='one of each gate, beside the input kernel; and of n a second, `params["cell"]["hn"]["bias"]`, which '
            "is multiplied by r; each `(units,)`",
            biases="candidate",
            state="h, `(batch, units)`",
            parts="h",
        ),
    },
    directions='`params["forward_rnn"]` and `params["backward_rnn"]` of a `Bidirectional`',
    padded="what the cell makes of the padding, with `seq_lengths`",
    keras_on="jax",
)

PLACES = {place.name: place for place in (TORCH, KERAS, NNX, LINEN)}
"""Each framework by the name that the command line has for it."""

_KERAS_ON = {f"keras-{backend}": replace(KERAS, backend=backend) for backend in ("tensorflow", "torch", "jax")}


def pair(source: str, target: str) -> tuple[Place, Place]:
    """Where a layer comes from and where it goes; ``keras`` is on the backend that the other one has.

    Raises ValueError for a name that is none of these, and for one framework twice.
    """
    known = {**PLACES, **_KERAS_ON}
    for name in (source, target):
        if name not in known:
            raise ValueError(f"there is no port from or to {name!r}, only between {', '.join(known)}")
    here, there = known[source], known[target]
    if here.framework == there.framework:
        raise ValueError(
            f"{source} and {target} are the same framework: its layers take each other's weights as they are"
        )
    return _on_backend(here, there), _on_backend(there, here)


def _on_backend(place: Place, other: Place) -> Place:
    is_open = place.framework == KERAS.framework and not place.backend
    return replace(place, backend=other.keras_on) if is_open else place
