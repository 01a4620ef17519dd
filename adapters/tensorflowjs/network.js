// One model of layers of TensorFlow.js: built as its users build it, loaded, called, differentiated and trained.
"use strict";

const tf = require("@tensorflow/tfjs");

const LAYERS = { simple_rnn: tf.layers.simpleRNN, lstm: tf.layers.lstm, gru: tf.layers.gru };
const NAMES = { hard_sigmoid: "hardSigmoid", hard_sigmoid_fifth: "hardSigmoid" };
const PARTS = ["h", "c"];

/** Raised for what TensorFlow.js cannot do; the message says why. */
class Unsupported extends Error {}

class Network {
  constructor(architecture) {
    this.architecture = architecture;
    const { embedding, layers, batch, timesteps, mode, masking } = architecture;
    if (mode === "predict" && masking === "mask") {
      throw new Unsupported("a model of TensorFlow.js takes no mask: it has to come from an embedding or a masking layer");
    }
    this.embedding = embedding && tf.layers.embedding({
      inputDim: embedding.tokens,
      outputDim: embedding.features,
      maskZero: embedding.mask_zero,
    });
    this.layers = layers.map((layer, k) => this.made(layer, k === layers.length - 1));
    const shape = embedding ? [batch, timesteps] : [batch, timesteps, layers[0].features];
    this.inputs = tf.input({ batchShape: shape, dtype: embedding ? "int32" : "float32" });
    this.symbolic = this.joined(this.inputs, null); // builds the layers
    this.models = {};
  }

  made(layer, isLast) {
    const { name, activation, recurrent_activation: gates } = layer.cell;
    const one = LAYERS[name]({
      units: layer.units,
      activation,
      ...(gates ? { recurrentActivation: NAMES[gates] ?? gates } : {}),
      useBias: layer.use_bias,
      returnSequences: this.architecture.return_sequences || !isLast,
      returnState: this.architecture.return_state,
      stateful: this.architecture.stateful,
      goBackwards: layer.direction === "backward",
    });
    return layer.direction === "bidirectional" ? tf.layers.bidirectional({ layer: one, mergeMode: layer.merge }) : one;
  }

  /** How many arrays the state of a layer has. */
  count(k) {
    const { cell, direction } = this.architecture.layers[k];
    return (cell.name === "lstm" ? 2 : 1) * (direction === "bidirectional" ? 2 : 1);
  }

  /** Apply the layers in turn, to tensors or symbolic ones: the outputs, and the state of each layer, if it is returned. */
  joined(inputs, states, mask) {
    let x = inputs;
    if (this.embedding) {
      x = this.embedding.apply(inputs);
      if (inputs instanceof tf.Tensor) mask = this.embedding.computeMask(inputs) ?? mask;
    }
    const final = [];
    this.layers.forEach((layer, k) => {
      const result = layer.apply(x, { ...(states ? { initialState: states[k] } : {}), ...(mask ? { mask } : {}) });
      const [outputs, ...state] = Array.isArray(result) ? result : [result];
      x = outputs;
      final.push(state);
    });
    return { outputs: x, final };
  }

  /** Such a call by `tf.model.predict`: a model with the initial states among its inputs, or without. */
  predicted(inputs, states) {
    const kind = states ? "from states" : "from zeros";
    if (!this.models[kind]) {
      const started = states && states.map((layer) => layer.map((h) => tf.input({ shape: h.shape.slice(1) })));
      const { outputs, final } = started ? this.joined(this.inputs, started) : this.symbolic;
      this.models[kind] = tf.model({ inputs: [this.inputs, ...(started ?? []).flat()], outputs: [outputs, ...final.flat()] });
    }
    const result = this.models[kind].predict(states ? [inputs, ...states.flat()] : inputs);
    const [outputs, ...rest] = Array.isArray(result) ? result : [result];
    return { outputs, final: this.layers.map((_, k) => rest.splice(0, this.architecture.return_state ? this.count(k) : 0)) };
  }

  /** A call on tensors, in the mode of the model. */
  called(inputs, states, mask) {
    return this.architecture.mode === "predict" ? this.predicted(inputs, states) : this.joined(inputs, states, mask);
  }

  all() {
    return this.embedding ? [this.embedding, ...this.layers] : this.layers;
  }

  // Weights: the frames have them as (gates * units, features), TensorFlow.js as (features, gates * units).

  /** The names of a layer's arrays, in the order of TensorFlow.js. */
  names(k) {
    const { direction, use_bias: biased } = this.architecture.layers[k];
    const parts = biased ? ["W", "U", "b"] : ["W", "U"];
    const places = direction === "bidirectional" ? [`layers[${k}]`, `layers[${k}].backward`] : [`layers[${k}]`];
    return places.flatMap((place) => parts.map((part) => `${place}.${part}`));
  }

  load(given) {
    tf.tidy(() => {
      if (this.embedding) this.embedding.setWeights([given.embedding]);
      this.layers.forEach((layer, k) => layer.setWeights(this.names(k).map((name) => turned(given[name]))));
    });
  }

  weights() {
    return this.named(this.all().map((layer) => layer.getWeights()));
  }

  /** Arrays by name, from those of each layer, be they weights or gradients of these. */
  named(found) {
    const table = this.embedding ? [["embedding", found[0][0]]] : [];
    const own = this.embedding ? found.slice(1) : found;
    return [...table, ...own.flatMap((arrays, k) => this.names(k).map((name, n) => [name, turned(arrays[n])]))];
  }

  // Calls

  run(given) {
    const { outputs, final } = this.called(given.inputs, this.states("initial_state", given), given.mask);
    return [["outputs", outputs], ...this.namedStates("final_state", final)];
  }

  /** All gradients in one pass: what is no weight is a variable while it lasts. */
  gradients(given) {
    const states = this.states("initial_state", given);
    const wanted = this.states("cotangent.final_state", given);
    const arguments_ = [...(this.embedding ? [] : [given.inputs]), ...(states ?? []).flat()].map((each) => tf.variable(each));
    const rest = [...arguments_];
    const inputs = this.embedding ? given.inputs : rest.shift();
    const start = states && states.map((layer) => layer.map(() => rest.shift()));
    const variables = this.variables();
    const { grads } = tf.variableGrads(() => {
      const { outputs, final } = this.called(inputs, start, given.mask);
      const sums = [outputs.mul(given["cotangent.outputs"]).sum()];
      (wanted ?? []).forEach((layer, k) => layer.forEach((h, n) => sums.push(final[k][n].mul(h).sum())));
      return tf.addN(sums);
    }, [...variables.flat(), ...arguments_]);
    const of = (variable) => grads[variable.name];
    const result = [
      ...this.named(variables.map((layer) => layer.map(of))),
      ...(this.embedding ? [] : [["inputs", of(inputs)]]),
      ...(start ? this.namedStates("initial_state", start.map((layer) => layer.map(of))) : []),
    ];
    arguments_.forEach((variable) => variable.dispose());
    return result;
  }

  /** tf.grad of what another one gave. */
  secondGradient(given) {
    const outputs = (x) => this.called(x, null).outputs.mul(given["cotangent.outputs"]).sum();
    const first = tf.grad(outputs);
    return [["inputs", tf.grad((x) => first(x).square().sum().div(2))(given.inputs)]];
  }

  /** The variables of each layer, in the order of its weights. */
  variables() {
    return this.all().map((layer) => layer.trainableWeights.map((weight) => weight.val));
  }

  train(given, rate) {
    const loss = () => tf.losses.meanSquaredError(given.targets, this.called(given.inputs, null).outputs);
    tf.train.sgd(rate).minimize(loss, false, this.variables().flat());
    return [];
  }

  reset() {
    this.layers.forEach((layer) => layer.resetStates());
    return [];
  }

  // States: a list of arrays for each layer, those of the forward direction first.

  stateNames(of, k) {
    const { cell, direction } = this.architecture.layers[k];
    const places = direction === "bidirectional" ? [`${of}[${k}]`, `${of}[${k}].backward`] : [`${of}[${k}]`];
    return cell.name === "lstm" ? places.flatMap((place) => PARTS.map((part) => `${place}.${part}`)) : places;
  }

  states(of, given) {
    const found = this.layers.map((_, k) => this.stateNames(of, k).map((name) => given[name]));
    return found.flat().some((h) => h === undefined) ? null : found;
  }

  namedStates(of, states) {
    return states.flatMap((arrays, k) => arrays.map((h, n) => [this.stateNames(of, k)[n], h]));
  }

  // What is known without data

  facts() {
    let shape = this.inputs.shape;
    if (this.embedding) shape = this.embedding.computeOutputShape(shape);
    const states = [];
    this.layers.forEach((layer, k) => {
      const found = layer.computeOutputShape(shape);
      const [outputs, ...state] = Array.isArray(found[0]) ? found : [found];
      shape = outputs;
      const directions = this.architecture.layers[k].direction === "bidirectional" ? 2 : 1;
      const parts = state.length / directions;
      states.push(Array.from({ length: directions }, (_, j) => state.slice(j * parts, (j + 1) * parts)));
    });
    return {
      parameter_count: this.all().reduce((sum, layer) => sum + layer.countParams(), 0),
      symbolic_shape: shape,
      symbolic_state_shapes: states,
    };
  }

  dispose() {
    this.all().forEach((layer) => layer.dispose());
  }
}

/** A kernel the other way round; a bias has one axis. */
function turned(tensor) {
  return tensor.rank === 2 ? tf.transpose(tensor) : tensor;
}

module.exports = { Network, Unsupported, tf };
