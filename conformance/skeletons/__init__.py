"""The beginnings of adapters that `rnn-conformance new-adapter` writes."""
