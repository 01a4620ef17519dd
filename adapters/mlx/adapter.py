"""MLX: mlx.nn.RNN, LSTM and GRU, on the device that it chooses."""

from __future__ import annotations

from functools import cache

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.inlining import example, examples
from rnn_conformance.adapters.mlx.network import KINDS, NO_SYMBOLIC_SHAPES, MlxNetwork
from rnn_conformance.adapters.mlx.script import script
from rnn_conformance.adapters.protocol import Network, Unsupported
from rnn_conformance.adapters.support import refuse_unsupported, versions
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture

_NO_PADDING = "the layers of mlx.nn know no padding"
_ONE_WAY = "the layers of mlx.nn run forwards: what turns or joins sequences is its user's own"
_NO_CHOICE = "the activations of mlx.nn.LSTM and GRU are tanh and sigmoid"
_NO_DROPOUT = "the layers of mlx.nn have none; mlx.nn.Dropout is a layer of its own"


class MlxAdapter:
    """The bridge to MLX's recurrent layers; `script` writes the same call without this suite."""

    requires = ("mlx",)
    packages = {"mlx": "0.32"}  # noqa: RUF012 - the oldest version that was looked at

    def describe(self) -> Description:
        return _description()

    def prepare(self, architecture: Architecture) -> Network:
        refuse_unsupported(_description(), architecture)
        if architecture.mode == "vmapped" and not architecture.batched:
            raise Unsupported("mlx.core.vmap runs over the batch, and a single sequence has none")
        return MlxNetwork(architecture)

    def script(self, architecture: Architecture, wants: str) -> str:
        return script(architecture, wants)


adapter = MlxAdapter()


@cache
def _description() -> Description:
    import mlx.core as mx

    device = mx.default_device().type.name
    unsupported = {
        "symbolic shapes": NO_SYMBOLIC_SHAPES,
        "symbolic state shapes": NO_SYMBOLIC_SHAPES,
        **dict.fromkeys(("lengths", "mask"), _NO_PADDING),
        "mask_zero": "mlx.nn.Embedding makes no mask",
        **dict.fromkeys(("backward", "bidirectional", "merge modes"), _ONE_WAY),
        "stateful": "the layers of mlx.nn keep no state: their users give what they return to the next call",
        **dict.fromkeys(("dropout", "recurrent dropout"), _NO_DROPOUT),
        "mixed precision": "MLX promotes types: a layer computes in the wider one of its arrays and its inputs",
        "projection": "mlx.nn.LSTM has none",
        "lstm relu": _NO_CHOICE,
        "gru relu": _NO_CHOICE,
        "lstm recurrent bias all": "mlx.nn.LSTM has one bias",
        "lstm forget bias 1.0": "mlx.nn.LSTM adds nothing to the forget gate",
        "gru reset before": "mlx.nn.GRU multiplies with the reset gate after the product",
        "gru recurrent bias all": "mlx.nn.GRU has a second bias for its candidate alone",
        "gru recurrent bias none": "mlx.nn.GRU has a second bias for its candidate",
        "gru keep 1-z": "in mlx.nn.GRU it is z that keeps the state",
        **{
            f"{cell} recurrent activation {name}": _NO_CHOICE
            for cell in ("lstm", "gru")
            for name in ("hard_sigmoid", "hard_sigmoid_fifth")
        },
    }
    dtypes = ["float16", "bfloat16", "float32", "float64"]
    if device != "cpu":
        dtypes.remove("float64")
        unsupported["float64"] = "MLX has float64 on a CPU alone"
    return Description(
        framework="MLX",
        versions=versions("mlx", "mlx-cpu"),
        ways=("vmapped", "reloaded"),
        device=device,
        # Measured on x86-64 with AVX-512, mlx 0.32.4: of 400 001 numbers from -88 to 0, sigmoid is off by up to 58 ULP
        # in float32, and by no more than 5 between -5 and 0; tanh is within 2 ULP in float64.
        precision={
            dtype: standard_precision(dtype, **({"sigmoid": 64} if dtype == "float32" else {})) for dtype in dtypes
        },
        cells=tuple(KINDS),
        variants=(Lstm(), Gru(recurrent_bias="candidate")),
        offers=("gradients", "double backward", "training step"),
        unsupported=unsupported,
        conventions={
            "W": "`Wxh` of an `RNN`, `Wx` of an `LSTM` and a `GRU`, `(units, features)` for each gate",
            "U": "`Whh` of an `RNN`, `Wh` of an `LSTM` and a `GRU`, `(units, units)` for each gate",
            "b": "`bias` of an `RNN` and an `LSTM`, `b` of a `GRU`, `(units,)` for each gate",
            "orientation": "as they are",
            "gates": "LSTM i, f, g, o; GRU r, z, n: z and r change places",
            "biases": "one; of a `GRU` the candidate has a second, `bhn`, `(units,)`, which is multiplied by r",
            "load": "`layer.load_weights([(name, array)])`",
            "read": "`numpy.array(layer.Wx)`",
            "time axis": "1, and 0 for a single sequence",
            "state": "`(batch, units)`: `layer(x, h)`, of an `LSTM` `layer(x, h, c)`",
            "embedding": "`mlx.nn.Embedding.weight`, `(tokens, features)`",
        },
        notes={
            "outputs": "every h; an `LSTM` returns a tuple of every h and every c",
            "float64": "`mlx.core.array(x, dtype=mlx.core.float64)`, on a CPU; without the dtype it becomes float32",
            "vmapped": "`mlx.core.vmap` over single sequences",
            "reloaded": "`save_weights` to a `.safetensors` file, and `load_weights` of that",
            "compiled": "there is no mode `compiled`: on a CPU `mlx.core.compile` calls a C++ compiler, which took 20 "
            "seconds for a small `LSTM`",
        },
        example=example("mlx/example.py"),
        examples=examples("mlx/example.py"),
    )
