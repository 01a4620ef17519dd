// What TensorFlow.js has, what it lacks and why, and where it keeps its weights.
"use strict";

const NO_HALF = "TensorFlow.js has no tensors of this type";
const TWO_BIASES = "the layers of TensorFlow.js have one bias";
const NO_SEED = "layers of TensorFlow.js draw the masks of dropout from Math.random, for which there is no seed";

const LSTM = { name: "lstm", activation: "tanh", recurrent_activation: "sigmoid", output_activation: "tanh" };
const GRU = { name: "gru", activation: "tanh", recurrent_activation: "sigmoid", reset: "before", recurrent_bias: "none" };

module.exports = {
  framework: "TensorFlow.js",
  modes: ["apply"],
  ways: ["predict"],
  precision: { float32: {} },
  cells: ["simple_rnn", "lstm", "gru"],
  activations: ["tanh", "relu", "linear", "sigmoid"],
  variants: [
    ...["tanh", "relu", "linear", "sigmoid"].map((activation) => ({ name: "simple_rnn", activation })),
    LSTM,
    { ...LSTM, recurrent_activation: "hard_sigmoid_fifth" },
    { ...LSTM, activation: "relu", output_activation: "relu" },
    GRU,
    { ...GRU, recurrent_activation: "hard_sigmoid_fifth" },
    { ...GRU, activation: "relu" },
  ],
  offers: [
    "symbolic state shapes",
    "mask",
    "mask_zero",
    "backward",
    "bidirectional",
    "merge modes",
    "stateful",
    "gradients",
    "double backward",
    "training step",
  ],
  unsupported: {
    "single sequence": "the layers take batches only",
    lengths: "the layers take a mask, and no lengths",
    dropout: NO_SEED,
    "recurrent dropout": NO_SEED,
    projection: "tf.layers.lstm has none",
    "mixed precision": NO_HALF,
    float16: NO_HALF,
    bfloat16: NO_HALF,
    float64: NO_HALF,
    "gru reset after": "tf.layers.gru raises an error for resetAfter: true",
    "gru recurrent bias all": TWO_BIASES,
    "gru recurrent bias candidate": TWO_BIASES,
    "gru keep 1-z": "in tf.layers.gru it is z that keeps the state",
    "lstm recurrent bias all": TWO_BIASES,
    "lstm forget bias 1.0": "tf.layers.lstm adds nothing to the forget gate: unitForgetBias is about how a bias begins",
  },
  choices: { padded_outputs: "repeat", backward_outputs: "processing" },
  conventions: {
    W: "`layer.getWeights()[0]`, `(features, units)`",
    U: "`layer.getWeights()[1]`, `(units, units)`",
    b: "`layer.getWeights()[2]`, `(units,)`",
    orientation: "transposed",
    gates: "LSTM i, f, g, o; GRU z, r, n",
    biases: "one",
    load: "`layer.setWeights([W, U, b])`, once the layer is built",
    read: "`layer.getWeights()`, and `tensor.dataSync()` of each",
    "time axis": "1",
    state: "`(batch, units)`, of an LSTM h and then c; of a bidirectional layer the forward one, then the backward one",
    padding: "a mask: `layer.apply(x, {mask})`, `(batch, timesteps)`; or `tf.layers.embedding({maskZero: true})` in front",
    backward: "`tf.layers.simpleRNN({goBackwards: true})`",
    "both directions": "the first and the second half of `layer.getWeights()`",
    embedding: "`tf.layers.embedding` has `getWeights()[0]`, `(tokens, features)`",
  },
  notes: {
    "recurrent activation":
      "of `tf.layers.lstm` and `tf.layers.gru` it is `hardSigmoid`, clip(0.2 x + 0.5), unless said otherwise: " +
      'give `recurrentActivation: "sigmoid"` for weights of Keras 2.3 or newer',
    apply: "`layer.apply(x, {initialState, mask})`, one layer after the other",
    predict: "`model.predict(x)` of a `tf.model` of the same layers, whose states are further inputs",
  },
};
