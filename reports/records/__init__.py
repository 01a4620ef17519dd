"""The lines of a results file, and what is safe to show of them."""
