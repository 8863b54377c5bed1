"""The calibration in Human3.6M's own metadata.xml, which comes with the release; elsewhere the
published numbers, the same, are used.

`w0` holds, camera by camera, each of eleven subjects' six extrinsics (three angles, the centre in
mm), then each camera's nine intrinsics.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import torch
from torch import Tensor

from unihpe.datasets.human36m.cameras import INTRINSICS, Human36mCamera, camera_of
from unihpe.errors import InputError, one_line

NAME = "metadata.xml"
SUBJECTS = 11
EXTRINSIC, INTRINSIC = 6, 9


def metadata_file(root: Path) -> Path | None:
    """metadata.xml in a folder; or the release's above it, where other things may bear the name."""
    own, above = root / NAME, root.parent / NAME
    if own.is_file():
        return own
    try:
        return above if above.is_file() and b"<dbcameras" in above.read_bytes() else None
    except OSError:
        return None


def read_metadata(path: Path) -> tuple[dict[tuple[str, str], int], Human36mCamera]:
    """The cameras of all subjects, and the row of each (subject, camera name).

    Raises:
        InputError: for a file that is not the release's.
    """
    names, numbers = names_and_numbers(path)
    outer, inner = numbers.split([len(names) * SUBJECTS * EXTRINSIC, len(names) * INTRINSIC])
    outer = outer.view(len(names) * SUBJECTS, EXTRINSIC)
    inner = inner.view(len(names), 1, INTRINSIC).expand(-1, SUBJECTS, -1).reshape(-1, INTRINSIC)
    size = torch.tensor(
        [INTRINSICS[name][:2] for name in names for _ in range(SUBJECTS)], dtype=torch.float64
    )
    keys = {
        (f"S{n + 1}", name): k * SUBJECTS + n
        for k, name in enumerate(names)
        for n in range(SUBJECTS)
    }
    focal, centre, radial, tangential = inner.split([2, 2, 3, 2], dim=1)
    return keys, camera_of(
        size, focal, centre, radial, tangential, rotations(outer[:, :3]), outer[:, 3:]
    )


def names_and_numbers(path: Path) -> tuple[list[str], Tensor]:
    """The names of the four cameras in the file's order, and the numbers of w0."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        if "<!ENTITY" in text:
            raise InputError(
                f"{path}: defines entities, which the release's file does not; get it from the set's site"
            )
        root = ElementTree.fromstring(text)
        names = [str(item.text).strip() for item in root.iterfind("dbcameras/index2id/*")]
        numbers = [float(word) for word in (root.findtext("w0") or "").strip().strip("[]").split()]
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); get it from the set's site"
        ) from error
    except InputError:
        raise
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(
            f"{path}: not the release's metadata.xml ({one_line(error, 80)})"
        ) from error
    if not all(map(math.isfinite, numbers)):
        raise InputError(
            f"{path}: w0 holds numbers that are not finite; get the file again from the set's site"
        )
    wanted = len(INTRINSICS) * (SUBJECTS * EXTRINSIC + INTRINSIC)
    if set(names) != set(INTRINSICS) or len(names) != len(INTRINSICS) or len(numbers) != wanted:
        raise InputError(
            f"{path}: names {len(names)} cameras and has {len(numbers)} numbers in w0, expected the set's {len(INTRINSICS)} and"
            f" {wanted}; get it from the set's site"
        )
    return names, torch.tensor(numbers, dtype=torch.float64)


def rotations(angles: Tensor) -> Tensor:
    """World-to-camera rotations (N, 3, 3) of the file's three angles (N, 3): about x, times about y, times about z."""
    x, y, z = angles.unbind(1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)

    def matrix(*rows: Tensor) -> Tensor:
        return torch.stack(rows, -1).view(-1, 3, 3)

    about_x = matrix(one, zero, zero, zero, x.cos(), -x.sin(), zero, x.sin(), x.cos())
    about_y = matrix(y.cos(), zero, y.sin(), zero, one, zero, -y.sin(), zero, y.cos())
    about_z = matrix(z.cos(), -z.sin(), zero, z.sin(), z.cos(), zero, zero, zero, one)
    return about_x @ about_y @ about_z
