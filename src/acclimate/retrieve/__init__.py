"""Candidates: exact, as far as that is fast."""
