"""PyTorch: torch.nn.RNN."""
