"""Your own recurrent layers in canonical words, and back: `read`, `survey`, `build`, `load`.

>>> from rnn_conformance.adapters.reading import build, read
>>> canonical = read(torch.nn.LSTM(3, 4))[0]  # doctest: +SKIP
>>> layer = build("keras", canonical)  # doctest: +SKIP
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, cast

from rnn_conformance.adapters.canonical import Arguments, Canonical, Porter, Refused, Survey
from rnn_conformance.adapters.registry import load as load_adapter

PORTERS = {
    "keras": (("keras",), "keras.porter", "porter"),  # before torch: on its backend, layers are torch's modules as well
    "torch": (("torch",), "torch.porter", "porter"),
    "flax-nnx": (("flax",), "flax.porter", "nnx"),
    "flax-linen": (("flax",), "flax.porter", "linen"),
    "onnx": (("onnx", "onnxruntime"), "onnx.porter", "porter"),
}
"""Each framework whose models can be read and built: the packages that its users import, and where its porter is."""


def porter(name: str) -> Porter:
    """That of a framework, or the attribute `porter` of somebody else's adapter, as ``package.module:attribute``.

    Raises ValueError, listing the names, for a name that is neither.
    """
    if name in PORTERS:
        _, module, attribute = PORTERS[name]
        found = getattr(import_module(f"rnn_conformance.adapters.{module}"), attribute)
    elif ":" in name:
        found = getattr(load_adapter(name), "porter", None)
    else:
        raise ValueError(f"nothing is built for {name!r}, only for {', '.join(PORTERS)}")
    if found is None:
        raise ValueError(f"the adapter {name} has no attribute `porter`, which reads and builds")
    return cast(Porter, found)


def porter_of(model: Any) -> Porter:
    """That of the framework of a model; one of Linen is ``(module, variables)``, one of ONNX may be the path of a file.

    Raises ValueError for none.
    """
    if isinstance(model, str | os.PathLike):
        if not os.fspath(model).endswith(".onnx"):
            raise ValueError(f"{os.fspath(model)} is no .onnx file: the model of another file has to be loaded first")
        return porter("onnx")
    for name, (packages, *_) in PORTERS.items():
        if any(package in sys.modules for package in packages) and porter(name).owns(model):
            return porter(name)
    raise ValueError(
        f"{type(model).__name__} is no model of {', '.join(PORTERS)}; one of Flax Linen is given as (module, variables)"
    )


def survey(model: Any, inputs: Any = None) -> Survey:
    """Every recurrent layer of a built model: those that could be read, and why others could not; and what else it has.

    `inputs` are needed for a Linen model that is more than a layer. Nothing of the model is changed.
    """
    return porter_of(model).survey(model, None if inputs is None else Arguments(inputs))


def read(model: Any, inputs: Any = None) -> tuple[Canonical, ...]:
    """Every recurrent layer of a built model, in canonical words. Raises Refused, by path, field and reason.

    The arguments are those of `survey`, which tells of the others where some are refused.
    """
    found = survey(model, inputs)
    if found.refused:
        raise found.refused[0]
    return found.layers


def build(target: str, canonical: Canonical) -> Any:
    """A layer of the framework named, with these weights: of torch, keras, flax-nnx, flax-linen, or a model of onnx.

    What is read from it is `held(target, canonical)`. Raises Refused, by field, for what the framework lacks.
    """
    return porter(target).build(canonical)


def held(target: str, canonical: Canonical) -> Canonical:
    """What becomes of a layer in a framework: the map that it declares, in which biases may be added or shifted."""
    return porter(target).held(canonical)


def load(module: Any, canonical: Canonical) -> None:
    """Put the weights into a layer that stands. Raises Refused where it is another layer."""
    porter_of(module).load(module, canonical)


__all__ = ["Canonical", "Refused", "Survey", "build", "held", "load", "porter", "porter_of", "read", "survey"]
