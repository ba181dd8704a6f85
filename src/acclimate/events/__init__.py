"""The one truth: an append-only, durable log of feedback, catalogue changes and what was shown."""
