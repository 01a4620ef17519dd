"""PyTorch: torch.nn.RNN, LSTM and GRU, and their cells."""
