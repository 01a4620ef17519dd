"""Adapters run in processes of their own, and the results file that they write."""
