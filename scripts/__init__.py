"""Small jobs of the repository."""
