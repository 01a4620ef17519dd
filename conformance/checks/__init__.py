"""The chapters of SPEC.md, a file each, and the laws that they share."""
