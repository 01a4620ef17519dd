"""Results read, checked and written as one document."""
