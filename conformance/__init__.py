"""What is checked: cases, checks (one test file for each chapter of SPEC.md), judging, running, the command line."""
