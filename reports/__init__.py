"""What is said: records, their summary on a terminal and as a site. Imports nothing of the other three rooms."""
