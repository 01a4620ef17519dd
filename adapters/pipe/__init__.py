"""Adapters in other languages: programs that answer frames (docs/process.md)."""
