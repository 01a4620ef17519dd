"""TensorFlow.js in Node, through the program of this folder, which `npm ci` makes ready."""

from __future__ import annotations

from pathlib import Path

from rnn_conformance.adapters.pipe.adapter import of_manifest

adapter = of_manifest(Path(__file__).with_name("tensorflowjs.toml"))
