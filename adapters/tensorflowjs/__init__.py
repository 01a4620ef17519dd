"""TensorFlow.js in Node: a program in JavaScript behind a pipe (docs/process.md)."""
