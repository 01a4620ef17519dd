"""What is said: records, their summary on a terminal and as a page. Imports nothing of the other three rooms."""
