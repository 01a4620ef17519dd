"""Keras 3 on each of its backends, and Keras 2: the adapters, and what each says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from inspect import signature

from rnn_conformance.adapters.description import EXTRAS, Description
from rnn_conformance.adapters.inlining import example
from rnn_conformance.adapters.jax import shared as _jax
from rnn_conformance.adapters.keras.backends import NETWORKS
from rnn_conformance.adapters.keras.cells import LACKING, LAYERS, hard_sigmoid_lacking, variants
from rnn_conformance.adapters.keras.layers import keras_on
from rnn_conformance.adapters.keras.network import KerasNetwork
from rnn_conformance.adapters.keras.script import script
from rnn_conformance.adapters.keras.ways import GATED, LEGACY, STACKED, ways_on
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.support import refuse_unsupported, versions
from rnn_conformance.reference.arithmetic.rounding import Precision, standard_precision, wider_sums
from rnn_conformance.reference.model.architecture import Architecture, Choices

_UNSUPPORTED = {
    "single sequence": "a recurrent layer of Keras takes batches only",
    "lengths": "a recurrent layer of Keras takes a mask, and no lengths",
    "projection": "keras.layers.LSTM has none",
    **LACKING,
}

_UNSUPPORTED_ON: Mapping[str, Mapping[str, str]] = {
    backend: {
        **dict.fromkeys(("gradients", "double backward"), f"Keras' {name} backend has no gradients"),
        "training step": f"Model.fit raises NotImplementedError on Keras' {name} backend, which has no gradients",
    }
    for backend, name in (("numpy", "NumPy"), ("openvino", "OpenVINO"))
}
"""What is lacking on some backends."""

OLDEST = "3.0"
"""The first version with backends to choose from."""


@dataclass(frozen=True)
class KerasAdapter:
    """Keras on one backend, which a process chooses once.

    `packages` are those of its own, each with the oldest version that this adapter works with; `told` are those whose
    versions a report tells.
    """

    backend: str
    framework: str
    packages: Mapping[str, str] = field(hash=False)
    told: tuple[str, ...]
    modes: tuple[str, ...]

    @property
    def requires(self) -> tuple[str, ...]:
        return ("tf_keras", "tensorflow") if self.backend == LEGACY else ("keras", self.backend)

    def describe(self) -> Description:
        return _description(self)

    def prepare(self, architecture: Architecture) -> KerasNetwork:
        refuse_unsupported(_description(self), architecture)
        if architecture.masking == "mask" and architecture.embedding and architecture.embedding.mask_zero:
            raise Unsupported(
                "a mask that a layer is given takes the place of the embedding's: Keras does not join the two"
            )
        if architecture.mode in GATED and not any("gate" in layer.cell.activations for layer in architecture.layers):
            raise Unsupported("keras.layers.SimpleRNN has neither use_cudnn nor implementation")
        if architecture.mode == STACKED and any(layer.direction != "forward" for layer in architecture.layers):
            raise Unsupported(
                "keras.layers.RNN of a list of cells runs forward: go_backwards turns the inputs of the first of them, "
                "and a Bidirectional joins the outputs of the last"
            )
        if architecture.mode == "masking-layer" and architecture.embedding:
            raise Unsupported("keras.layers.Masking reads floats, and tokens are masked by their embedding")
        if architecture.mode == "time-distributed" and not architecture.return_sequences:
            raise Unsupported("keras.layers.TimeDistributed reads sequences, and the last output is none")
        if architecture.mode == "closed-over" and architecture.stateful:
            raise Unsupported("what jax.jit traces cannot change the state of a layer that it closes over")
        return NETWORKS[self.backend](architecture)

    def script(self, architecture: Architecture, wants: str) -> str:
        """Source lines that use Keras alone, for a bug report (see script.py)."""
        return script(self.backend, architecture, wants)


tensorflow = KerasAdapter(
    "tensorflow",
    "Keras on TensorFlow",
    {"keras": OLDEST, "tensorflow-cpu": "2.16"},
    ("keras", "tensorflow", "tensorflow-cpu"),
    ("compiled", "eager"),
)
# There is no compiled mode: torch.compile breaks the graph at every timestep, where the loop of
# keras/src/backend/torch/rnn.py indexes with a tensor and so calls Tensor.item() (keras 3.15.1, torch 2.13.0).
torch = KerasAdapter("torch", "Keras on PyTorch", {"keras": OLDEST, "torch": "2.1"}, ("keras", "torch"), ("eager",))
jax = KerasAdapter(
    "jax", "Keras on JAX", {"keras": OLDEST, "jax": "0.4.30"}, ("keras", "jax", "jaxlib"), ("compiled", "eager")
)
numpy = KerasAdapter("numpy", "Keras on NumPy", {"keras": OLDEST}, ("keras", "numpy"), ("eager",))
# Model.predict is what this backend is for: it compiles a model, where a call is computed piece by piece.
openvino = KerasAdapter(
    "openvino", "Keras on OpenVINO", {"keras": "3.8", "openvino": "2025.0"}, ("keras", "openvino"), ("eager", "predict")
)
legacy = KerasAdapter(
    LEGACY, "Keras 2", {"tf-keras": "2.16"}, ("tf-keras", "tensorflow", "tensorflow-cpu"), ("compiled", "eager")
)


@cache
def _description(adapter: KerasAdapter) -> Description:
    keras = keras_on(adapter.backend)
    is_legacy = adapter.backend == LEGACY
    knows_cudnn = "use_cudnn" in signature(keras.layers.LSTM.__init__).parameters
    lacking = {**_UNSUPPORTED, **_UNSUPPORTED_ON.get(adapter.backend, {}), **hard_sigmoid_lacking(is_legacy)}
    return Description(
        framework=adapter.framework,
        versions=versions(*adapter.told),
        modes=adapter.modes,
        ways=tuple(way for way in ways_on(adapter.backend, knows_cudnn) if way not in adapter.modes),
        device=_device(adapter.backend),
        precision=_precision(adapter.backend),
        cells=tuple(LAYERS),
        variants=tuple(variants(is_legacy)),
        offers=tuple(feature for feature in EXTRAS if feature not in lacking),
        unsupported=lacking,
        choices=Choices(
            padded_outputs="repeat",
            bidirectional_padded_outputs="zero",
            backward_outputs="processing",
            dropout_mask="fixed",
            dropout_gates="own beside recurrent dropout",
            recurrent_dropout_gates="own",
        ),
        conventions={
            "W": "`layer.weights[0]`, `(features, units)`",
            "U": "`layer.weights[1]`, `(units, units)`",
            "b": "`layer.weights[2]`, `(units,)`",
            "orientation": "transposed",
            "gates": "LSTM i, f, g, o (Keras calls g c); GRU z, r, n (Keras calls n h)",
            "biases": "one; of a `GRU` with `reset_after`, its default, b and the recurrent bias c in one array, "
            "`(2, 3 * units)`",
            "load": "`layer.set_weights([W.T, U.T, b])`, of a `GRU` `[W.T, U.T, numpy.stack([b, c])]`, or "
            "`variable.assign(array)`, once the layer is built",
            "read": "`layer.get_weights()`, or `keras.ops.convert_to_numpy(variable.value)`",
            "time axis": "1",
            "state": "`(batch, units)`, of an `LSTM` h and then c; of a `Bidirectional` the forward one, then the "
            "backward one",
            "padding": "a mask: `layer(x, mask=mask)`, `(batch, timesteps)`, true where a timestep is valid; or "
            "`Embedding(mask_zero=True)` in front",
            "backward": "`SimpleRNN(go_backwards=True)`",
            "both directions": "`Bidirectional.forward_layer` and `.backward_layer`, copies of the layer that it is "
            "given",
            "embedding": "`Embedding.weights[0]`, `(tokens, features)`",
        },
        notes={
            "padded outputs": "zero with `zero_output_for_mask=True`, which `Bidirectional` sets by itself where all "
            "outputs are returned",
            "forget bias": "`unit_forget_bias` is how the bias of an `LSTM` starts, and no part of its equation: "
            "weights that are loaded take its place",
            **_notes(is_legacy),
            "implementation": "`implementation=1` is not saved with a model: `get_config` leaves it out. It has a "
            "mask of dropout for each gate, where the default has one for all; recurrent dropout sets it by itself. In "
            "Keras 3.15.1 dropout without recurrent dropout then needs `use_cudnn=False`, too: else a call in training "
            "raises, since the list of masks is taken for one",
        },
        example=_example(adapter.backend, "example"),
        examples={cell: _example(adapter.backend, f"{cell}_example") for cell in ("lstm", "gru")},
    )


def _notes(is_legacy: bool) -> Mapping[str, str]:
    """What is otherwise in Keras 3 than in Keras 2."""
    if is_legacy:
        return {
            "hard sigmoid": "`hard_sigmoid` is x / 5 + 1/2 between 0 and 1; in Keras 3 it is x / 6 + 1/2",
            "fast paths": "`LSTM` and `GRU` with the default activations run a `tf.function` of their own, which a GPU "
            "has as a kernel of cuDNN",
            "named": "`import tf_keras`, which `tf.keras` is where the variable TF_USE_LEGACY_KERAS is 1",
        }
    return {
        "hard sigmoid": "`hard_sigmoid` is x / 6 + 1/2 between 0 and 1; in Keras 2 it was x / 5 + 1/2",
        "fast paths": 'with `use_cudnn="auto"`, the default, other code runs on PyTorch (`LSTM`, and `GRU` with '
        "`reset_after`) and on JAX (that `GRU`), unless there is a mask, or recurrent dropout in training",
    }


def _example(backend: str, name: str) -> str:
    if backend == LEGACY:
        return example("keras/legacy_example.py", name)
    chosen = f'os.environ["KERAS_BACKEND"] = "{backend}"  # before Keras is imported'
    return f"import os\n\n{chosen}\n{example('keras/example.py', name)}"


def _device(backend: str) -> str:
    """Where Keras puts a model if nobody says otherwise."""
    if backend in ("tensorflow", LEGACY):
        import tensorflow as tf

        return "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
    if backend == "torch":
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"
    if backend in ("numpy", "openvino"):
        return "cpu"
    import jax

    return str(jax.default_backend())


def _precision(backend: str) -> Mapping[str, Precision]:
    # Of every finite number of float16 and bfloat16, tanh is within 0.5 ULP and sigmoid within 2.1 on each backend,
    # but for results below the smallest normal number, which some flush to zero.
    if backend == "jax":
        return _jax.PRECISION
    half = {"float16": wider_sums("float16"), "bfloat16": wider_sums("bfloat16")}  # benchmarks/accumulation.py
    if backend in ("torch", "numpy", "openvino"):
        return {**half, "float32": standard_precision("float32"), "float64": standard_precision("float64")}
    # Measured on x86-64 with AVX-512, TensorFlow 2.21.0: its tanh is wrong by up to 6.2 ULP in float32 (at x = 6.534,
    # of every number between 1e-4 and 25), and by up to 11.1 ULP in float64 (at x = 14.24, in 2e9 numbers between 0 and
    # 25, most of them between 10 and 20, against np.tanh in np.longdouble). Its sigmoid is within 6.6 and 2.9 ULP.
    return {
        **half,
        "float32": standard_precision("float32", tanh=8),
        "float64": standard_precision("float64", tanh=13),
    }
