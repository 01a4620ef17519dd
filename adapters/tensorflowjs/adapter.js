// TensorFlow.js as a subject of RNN Conformance: reads requests from standard input and answers them (docs/process.md).
"use strict";

console.log = console.info = console.warn; // TensorFlow.js prints a banner, and standard output is for frames

const { readFrame, writeFrame } = require("./frames.js");
const { Network, Unsupported, tf } = require("./network.js");
const description = require("./description.js");

const PROTOCOL = 1;
const networks = new Map();

/** Raised for what TensorFlow.js cannot be given, as it has no such type. */
class Unsuitable extends Error {}

/** A tensor of what came in a frame, in one of the types that TensorFlow.js has. */
function tensor({ dtype, shape, values }) {
  if (dtype === "bool") return tf.tensor(values, shape, "bool");
  if (dtype === "float32") return tf.tensor(values, shape, "float32");
  if (dtype === "float64") return tf.tensor(Float32Array.from(values), shape, "float32");
  if (values === null) throw new Unsuitable(`TensorFlow.js has no tensors of ${dtype}`);
  return tf.tensor(Int32Array.from(values, Number), shape, "int32");
}

/** The fields of the answer to a request, and the tensors in it by name. */
function answer(header, arrays) {
  if (header.request === "describe") {
    const versions = { tensorflowjs: tf.version.tfjs, node: process.versions.node };
    return [{ protocol: PROTOCOL, description: { ...description, versions } }, []];
  }
  if (header.request === "prepare") {
    for (const number of header.released) {
      networks.get(number)?.dispose();
      networks.delete(number);
    }
    const network = new Network(header.architecture);
    networks.set(header.network, network);
    return [network.facts(), []];
  }
  const network = networks.get(header.network);
  const given = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, tensor(array)]));
  switch (header.request) {
    case "load":
      network.load(given);
      return [{}, []];
    case "weights":
      return [{}, network.weights()];
    case "run":
      return [{}, network.run(given)];
    case "gradients":
      return [{}, network.gradients(given)];
    case "second_gradient":
      return [{}, network.secondGradient(given)];
    case "train":
      return [{}, network.train(given, header.rate)];
    case "reset":
      return [{}, network.reset()];
    default:
      return [{ unsupported: `the adapter of TensorFlow.js has no ${header.request}` }, []];
  }
}

/** Whether an exception is a mistake in these files, which is no refusal of TensorFlow.js. */
function isOwn(error) {
  const first = (error.stack ?? "").split("\n").find((line) => line.trim().startsWith("at ")) ?? "";
  const isMistake = error instanceof TypeError || error instanceof ReferenceError;
  return isMistake && first.includes(__dirname) && !first.includes("node_modules");
}

/** Answer one request. */
function serve(header, arrays) {
  tf.engine().startScope();
  try {
    const [fields, found] = answer(header, arrays);
    const told = found.map(([name, each]) => [name, { shape: each.shape, values: each.dataSync() }]);
    writeFrame({ answer: header.request, ...fields }, told);
  } catch (error) {
    if (isOwn(error)) throw error;
    const told = error instanceof Unsupported
      ? { unsupported: error.message }
      : { error: { type: error.name ?? "Error", message: error.message ?? String(error) } };
    writeFrame({ answer: header.request, ...told }, []);
  } finally {
    tf.engine().endScope();
  }
}

async function main() {
  await tf.setBackend("cpu");
  await tf.ready();
  for (let frame = readFrame(); frame !== null && frame.header.request !== "stop"; frame = readFrame()) {
    serve(frame.header, frame.arrays);
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
