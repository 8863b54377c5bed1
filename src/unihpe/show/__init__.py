"""Results and data as pictures."""
