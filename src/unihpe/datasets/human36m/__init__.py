"""Human3.6M."""

from unihpe.datasets.human36m.record import DATA_SET

__all__ = ["DATA_SET"]
