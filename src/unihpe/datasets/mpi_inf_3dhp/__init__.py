"""MPI-INF-3DHP."""

from unihpe.datasets.mpi_inf_3dhp.record import DATA_SET

__all__ = ["DATA_SET"]
