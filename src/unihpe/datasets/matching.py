"""Files by a pattern, without silence about folders that may not be read.

`Path.glob` passes them over, and half a set looks whole.
"""

from fnmatch import fnmatchcase
from pathlib import Path


def matching(root: Path, pattern: str) -> list[Path]:
    """What is there of a pattern such as S*/*/annot.h5 under a folder, sorted.

    Raises:
        PermissionError: for a folder on the way that may not be read.
    """
    places = [root]
    for part in pattern.split("/"):
        if any(sign in part for sign in "*?["):
            inside = [path for place in places if place.is_dir() for path in place.iterdir()]
            places = [path for path in inside if fnmatchcase(path.name, part)]
        else:
            places = [place / part for place in places]
    return sorted(place for place in places if place.exists())
