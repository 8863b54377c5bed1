"""Data sets. Each is a folder here, with its record, and a row of the table `DATA_SETS`.

A set of your own is named `my_module:DATA_SET`, wherever a name is asked for (docs/extending.md).
"""

from collections import UserDict
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unihpe.errors import InputError
from unihpe.io.outside import import_named

if TYPE_CHECKING:
    from unihpe.datasets.dataset import DataSet


__all__ = [
    "DATA_SETS",
    "DEFAULT",
    "NAMES",
    "PACKED",
    "PLACES",
    "get_data_set",
    "require_name",
    "sets_in",
]


class _Table(UserDict[str, Any]):
    """Records by name; each is imported when it is asked for, so that names alone cost nothing."""

    def __getitem__(self, name: str) -> "DataSet":
        return _record(self.data[name])


DEFAULT, PACKED = "motion", "people"  # what needs no licence, and what this package packs
NAMES = (DEFAULT, PACKED, "coco", "human36m", "humaneva", "mpi_inf_3dhp", "threedpw")
PLACES = {name: f"unihpe.datasets.{name}.record:DATA_SET" for name in NAMES}
DATA_SETS: Mapping[str, "DataSet"] = _Table(PLACES)


def _record(name: str) -> "DataSet":
    from unihpe.datasets.dataset import DataSet

    found = import_named(name)
    if not isinstance(found, DataSet):
        raise InputError(f"'{name}' is a {type(found).__name__}, not a DataSet")
    return found


def require_name(name: str) -> None:
    """Raise InputError for a name that is neither in the table nor one of `my_module:DATA_SET`."""
    if not isinstance(name, str) or (name not in DATA_SETS and ":" not in name):
        known = f"known data sets are {', '.join(DATA_SETS)}, and your own as my_module:DATA_SET"
        raise InputError(f"no data set '{name}': {known}")


def get_data_set(name: str) -> "DataSet":
    """The record of a data set of the table, or of `my_module:DATA_SET`; InputError for others."""
    require_name(name)
    return DATA_SETS[name] if name in DATA_SETS else _record(name)


def sets_in(root: Path) -> list[str]:
    """The data sets of the table that can be opened in a folder (or file), by what lies there."""
    if not isinstance(root, str | PathLike):
        raise InputError(f"a folder is named by a path, not by {root!r}")
    return [name for name, data_set in DATA_SETS.items() if data_set.lies_in(Path(root))]
