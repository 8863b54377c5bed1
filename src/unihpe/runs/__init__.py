"""Whole runs, as the commands make them."""
