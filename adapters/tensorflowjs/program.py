"""The program in such a script: JavaScript that builds, loads and calls layers of TensorFlow.js as its users do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rnn_conformance.reference.model.architecture import Architecture, Layer

_LAYERS = {"simple_rnn": "simpleRNN", "lstm": "lstm", "gru": "gru"}
_GATES = {"hard_sigmoid_fifth": "hardSigmoid"}

_WRITE = "(key, value) => typeof value === 'number' && !isFinite(value) ? String(value) : value"


def program(architecture: Architecture, gradients: bool) -> Iterator[str]:
    """Its lines. It reads an object from standard input, and writes one, or the list of the gradients, as JSON."""
    yield 'const tf = require("@tensorflow/tfjs");'
    yield 'const given = eval("(" + require("fs").readFileSync(0, "utf8") + ")");'
    yield from _model(architecture)
    yield from _call(architecture)
    if gradients:
        yield from _differentiate(architecture)
    elif architecture.mode == "predict":
        yield from _predict(architecture)
    else:
        yield "const {outputs, final} = called(inputs, states);"
    if not gradients:
        yield "const values = {outputs: outputs.arraySync(), final: final.map((s) => s.map((h) => h.arraySync()))};"
        yield f"console.log(JSON.stringify(values, {_WRITE}));"


def _model(architecture: Architecture) -> Iterator[str]:
    table = architecture.embedding
    yield "const layers = ["
    if table:
        zero = ", maskZero: true" if table.mask_zero else ""
        yield f"  tf.layers.embedding({{inputDim: {table.tokens}, outputDim: {table.features}{zero}}}),"
    for k, layer in enumerate(architecture.layers):
        one = _layer(architecture, layer, is_last=k == len(architecture.layers) - 1)
        if layer.is_bidirectional:
            one = f"tf.layers.bidirectional({{layer: {one}, mergeMode: {json.dumps(layer.merge)}}})"
        yield f"  {one},"
    yield "];"
    shape = [architecture.batch, architecture.timesteps, *([] if table else [architecture.layers[0].features])]
    yield f"const first = tf.input({{batchShape: {json.dumps(shape)}, dtype: {_dtype(architecture)}}});"
    yield "layers.reduce((x, layer) => [layer.apply(x)].flat()[0], first);  // builds them"
    yield "layers.forEach((layer, k) => layer.setWeights(given.weights[k].map((array) => tf.tensor(array))));"
    yield f"const inputs = tf.tensor(given.inputs, undefined, {_dtype(architecture)});"
    yield "const states = given.states && given.states.map((layer) => layer.map((h) => tf.tensor(h)));"


def _call(architecture: Architecture) -> Iterator[str]:
    """A function from inputs and states to outputs and final states."""
    table, words = architecture.embedding, ["initialState: state[k]"]
    yield "function called(x, states) {"
    yield f"  const final = [], state = [{'undefined, ' if table else ''}...(states ?? [])];"
    if architecture.masking == "mask":
        yield '  const mask = tf.tensor(given.mask, undefined, "bool");'
    elif table and table.mask_zero and architecture.mode != "predict":
        yield "  const mask = layers[0].computeMask(x);"
    if architecture.masking == "mask" or (table and table.mask_zero and architecture.mode != "predict"):
        words.append("mask")
    yield "  layers.forEach((layer, k) => {"
    told = f"{'k === 0 ? {} : ' if table else ''}{{{', '.join(words)}}}"
    yield f"    const [outputs, ...last] = [layer.apply(x, {told})].flat();"
    yield "    x = outputs;"
    yield f"    {'if (k > 0) ' if table else ''}final.push(last);"
    yield "  });"
    yield "  return {outputs: x, final};"
    yield "}"


def _predict(architecture: Architecture) -> Iterator[str]:
    yield "const started = states && states.map((layer) => layer.map((h) => tf.input({shape: h.shape.slice(1)})));"
    yield "const symbolic = called(first, started);"
    yield "const all = [symbolic.outputs, ...symbolic.final.flat()];"
    yield "const model = tf.model({inputs: [first, ...(started ?? []).flat()], outputs: all});"
    yield "const [outputs, ...rest] = [model.predict([inputs, ...(states ?? []).flat()])].flat();"
    yield "const final = symbolic.final.map((layer) => rest.splice(0, layer.length));"


def _differentiate(architecture: Architecture) -> Iterator[str]:
    """What is no weight is a variable as well, so that all gradients come in one pass."""
    table = architecture.embedding
    yield f"const x = {'inputs' if table else 'tf.variable(inputs)'};"
    yield "const start = states && states.map((layer) => layer.map((h) => tf.variable(h)));"
    yield "const weights = layers.flatMap((layer) => layer.trainableWeights.map((weight) => weight.val));"
    yield f"const wanted = [...weights, {'' if table else 'x, '}...(start ?? []).flat()];"
    yield "const {grads} = tf.variableGrads(() => {"
    yield "  const {outputs, final} = called(x, start);"
    yield "  const sums = [outputs.mul(tf.tensor(given.cotangent)).sum()];"
    if architecture.return_state:
        yield "  given.of_states.flat().forEach((h, k) => sums.push(final.flat()[k].mul(tf.tensor(h)).sum()));"
    yield "  return tf.addN(sums);"
    yield "}, wanted);"
    yield "const values = wanted.map((variable) => grads[variable.name].arraySync());"
    yield f"console.log(JSON.stringify(values, {_WRITE}));"


def _layer(architecture: Architecture, layer: Layer, *, is_last: bool) -> str:
    gates = layer.cell.activations.get("gate", "")
    words: dict[str, Any] = {"units": layer.units, "activation": layer.cell.activation}
    words |= {"recurrentActivation": _GATES.get(gates, gates)} if gates else {}
    words |= {} if layer.use_bias else {"useBias": False}
    words |= {"returnSequences": True} if architecture.return_sequences or not is_last else {}
    words |= {"returnState": True} if architecture.return_state else {}
    words |= {"stateful": True} if architecture.stateful else {}
    words |= {"goBackwards": True} if layer.direction == "backward" else {}
    told = ", ".join(f"{name}: {json.dumps(value)}" for name, value in words.items())
    return f"tf.layers.{_LAYERS[layer.cell.name]}({{{told}}})"


def _dtype(architecture: Architecture) -> str:
    return '"int32"' if architecture.embedding else '"float32"'
