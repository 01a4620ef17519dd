"""A set of cases with what is right for them, for who only wants numbers."""
