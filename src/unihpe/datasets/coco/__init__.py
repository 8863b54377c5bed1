"""COCO's people."""

from unihpe.datasets.coco.record import DATA_SET

__all__ = ["DATA_SET"]
