"""Results rolled up by clause and backend, and the words for them."""
