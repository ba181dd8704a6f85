"""What may stand in a list, and why not: pure functions of masks and scores."""
