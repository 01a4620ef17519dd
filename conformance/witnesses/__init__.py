"""A failing example as a file, and the known deviations that have one."""
