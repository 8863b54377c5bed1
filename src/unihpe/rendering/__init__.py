"""Rendered people: any 3D poses put on random bodies, dressed, lit and photographed, with exact labels."""
