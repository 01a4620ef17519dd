"""The checks, by the chapters of SPEC.md, a file or several for each, and the laws that they share."""
