"""Who is tested: a folder for each framework, and the protocol that they share (protocol.py)."""
