"""Keypoint files of other tools."""
