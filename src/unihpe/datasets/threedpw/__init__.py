"""3DPW."""

from unihpe.datasets.threedpw.record import DATA_SET

__all__ = ["DATA_SET"]
