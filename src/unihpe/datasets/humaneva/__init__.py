"""HumanEva-I."""

from unihpe.datasets.humaneva.record import DATA_SET

__all__ = ["DATA_SET"]
