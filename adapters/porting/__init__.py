"""How an LSTM and a GRU get from one framework to another: in words, and as scripts that stand alone."""
