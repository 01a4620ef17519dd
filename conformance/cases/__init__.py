"""What is drawn: shapes, numbers, masks, and the case that holds one of each."""
