"""Who is tested: one framework a file, and the protocol that they share (protocol.py)."""
