"""ONNX: the operators RNN, LSTM and GRU of a model, and the runtimes that run it."""
