"""Keypoint files in, result files out. Layouts: docs/formats.md."""
