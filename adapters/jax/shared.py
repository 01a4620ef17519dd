"""What the adapters on JAX share: precision, and the adapter itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.jax.arrays import x64
from rnn_conformance.adapters.jax.room import make_room
from rnn_conformance.adapters.protocol import Network, Unsupported
from rnn_conformance.adapters.support import refuse_unsupported
from rnn_conformance.reference.arithmetic.rounding import standard_precision, wider_sums
from rnn_conformance.reference.model.architecture import Architecture

MODES = ("compiled", "eager")

# Measured on x86-64 with AVX-512, jax 0.10.2: XLA's tanh in float64 is wrong by up to 9.4 ULP (at x = 15.904, in 2e9
# numbers between 0 and 25, most of them between 10 and 20, against np.tanh in np.longdouble). In float32 it is within
# 4.9 ULP at every number between 1e-4 and 25; sigmoid is within 2.7 ULP in both. In float16 and bfloat16, at every
# finite number, tanh is within 0.5 ULP and sigmoid within 2.1 wherever it is not subnormal.
# Their sums are float32 (benchmarks/accumulation.py).
PRECISION = {
    "float16": wider_sums("float16"),
    "bfloat16": wider_sums("bfloat16"),
    "float32": standard_precision("float32"),
    "float64": standard_precision("float64", tanh=11),
}


@dataclass(frozen=True)
class JaxAdapter:
    """An adapter on JAX: its description, its kind of network, and how to write a script that needs no adapter.

    `packages` are those of its own, each with the oldest version that it works with; `modules` are what they are
    imported as, where that is another name. `script(architecture, wants)` gives the source of one that computes
    "outputs" or "gradients".
    """

    packages: Mapping[str, str]
    description: Callable[[], Description]
    network: Callable[[Architecture], Any]  # a Network, without the methods of features that are not offered
    script: Callable[[Architecture, str], str]
    modules: tuple[str, ...] = ()

    @property
    def requires(self) -> tuple[str, ...]:
        return self.modules or tuple(self.packages)

    def describe(self) -> Description:
        return self.description()

    def prepare(self, architecture: Architecture) -> Network:
        refuse_unsupported(self.description(), architecture)
        if architecture.mode == "vmapped" and not architecture.batched:
            raise Unsupported("jax.vmap runs over the batch, and a single sequence has none")
        make_room()
        with x64(architecture.dtype):
            network: Network = self.network(architecture)
        return network
