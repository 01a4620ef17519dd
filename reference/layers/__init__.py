"""A cell run over time: masks, directions, stacks of layers, and backpropagation through them."""
