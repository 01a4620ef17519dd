"""Haiku: its cores under dynamic_unroll and static_unroll."""
