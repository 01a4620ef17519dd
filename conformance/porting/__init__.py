"""A user's own model: captured, judged, held against another, and ported."""
