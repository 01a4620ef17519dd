"""What a failure looks like: the planted fault that it equals, and a script to show it with."""
