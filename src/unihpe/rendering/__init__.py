"""Rendered people: 3D poses on random bodies, dressed, lit and seen by a camera; exact labels."""

from unihpe.rendering.scene import People, render
from unihpe.rendering.settings import Settings

__all__ = ["People", "Settings", "render"]
