"""Motion capture."""

from unihpe.datasets.motion.record import DATA_SET

__all__ = ["DATA_SET"]
