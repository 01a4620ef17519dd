"""MLX: mlx.nn.RNN, LSTM and GRU."""
