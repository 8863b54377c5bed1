"""Packed people."""

from unihpe.datasets.people.record import DATA_SET

__all__ = ["DATA_SET"]
