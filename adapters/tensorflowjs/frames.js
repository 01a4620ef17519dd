// Frames on standard input and output (docs/process.md): a header in JSON, and the bytes of the arrays that it names.
"use strict";

const fs = require("node:fs");

const MARK = Buffer.from("RNNC");

const KINDS = {
  bool: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** So many bytes of standard input; null at its end. */
function read(count) {
  const data = Buffer.alloc(count);
  for (let at = 0; at < count; ) {
    const got = fs.readSync(0, data, at, count - at, null);
    if (got === 0) return null;
    at += got;
  }
  return data;
}

/** The next frame, as its header and its arrays by name: {dtype, shape, values}. Null at the end of the input. */
function readFrame() {
  const begin = read(MARK.length + 4);
  if (begin === null) return null;
  if (!begin.subarray(0, MARK.length).equals(MARK)) throw new Error(`no frame begins with ${begin}`);
  const header = JSON.parse(read(begin.readUInt32LE(MARK.length)).toString("utf8"));
  const arrays = {};
  for (const { name, dtype, shape } of header.arrays ?? []) {
    const Kind = KINDS[dtype];
    const size = shape.reduce((product, n) => product * n, 1);
    const bytes = read(size * (Kind ? Kind.BYTES_PER_ELEMENT : 2)); // the half precisions, which JavaScript lacks
    // A copy, since a typed array begins at a multiple of its element's size.
    arrays[name] = { dtype, shape, values: Kind ? new Kind(Uint8Array.from(bytes).buffer) : null };
  }
  return { header, arrays };
}

/** Write a frame whose arrays are [name, {shape, values}], each of float32. */
function writeFrame(header, arrays) {
  const told = arrays.map(([name, { shape }]) => ({ name, dtype: "float32", shape }));
  const text = Buffer.from(JSON.stringify({ ...header, arrays: told }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const parts = arrays.map(([, { values }]) => Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  const data = Buffer.concat([MARK, length, text, ...parts]);
  for (let at = 0; at < data.length; ) at += fs.writeSync(1, data, at);
}

module.exports = { readFrame, writeFrame };
