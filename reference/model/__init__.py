"""What a model is: its architecture, weights, states, and what a call returns."""
