"""The report as pages."""
