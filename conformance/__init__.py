"""What is checked: cases, checks (by the chapters of SPEC.md), judging, running, the command line."""
