"""What the checks are worth: mutants tried, and the tables of what was measured."""
