"""TensorFlow.js in Node, through the program of this folder, which `npm ci` makes ready."""

from __future__ import annotations

from pathlib import Path

from rnn_conformance.adapters.pipe.adapter import ProcessAdapter
from rnn_conformance.adapters.pipe.manifest import read_manifest
from rnn_conformance.adapters.tensorflowjs.script import script
from rnn_conformance.reference.model.architecture import Architecture


class TensorFlowJs(ProcessAdapter):
    """A program like others, of which there are scripts for bug reports as well."""

    def script(self, architecture: Architecture, wants: str) -> str:
        return script(architecture, wants)


adapter = TensorFlowJs(read_manifest(Path(__file__).with_name("tensorflowjs.toml")))
