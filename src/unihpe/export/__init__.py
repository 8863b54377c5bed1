"""Results out, one writer a format."""
