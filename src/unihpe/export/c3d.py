"""C3D: markers over time, of motion capture laboratories."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from unihpe.errors import InputError
from unihpe.export.motion import Motion
from unihpe.io.extra import extra
from unihpe.io.files import replacing

MOST = 65_535  # frames: the head counts them in 16 bits


def write_c3d(path: Path, motion: Motion) -> None:
    """Write one person's joints as points: mm, z up, y away from the camera, at an even rate.

    Where the person is away, points are NaN, to which ezc3d gives the residual −1: C3D's invalid.
    InputError for more frames than the format counts.
    """
    ezc3d = extra("ezc3d", "export", "C3D files need ezc3d")
    even = motion.evenly()
    if len(even.time) > MOST:
        most = f"C3D holds {MOST:,} frames, and there are {len(even.time):,}"
        raise InputError(f"{path.name}: {most}; export a part of the clip, or TRC")
    places = even.places.numpy()
    points = np.ones((4, places.shape[1], len(places)))
    # y up to z up: x stays, what points to the viewer (z) points back (−y)
    for row, values in enumerate((places[..., 0], -places[..., 2], places[..., 1])):
        points[row] = values.T
    file = ezc3d.c3d()
    point = file["parameters"]["POINT"]
    point["UNITS"]["value"], point["RATE"]["value"] = ["mm"], [even.rate]
    point["LABELS"]["value"] = list(even.skeleton.joints)
    point["DESCRIPTIONS"]["value"] = list(even.skeleton.joints)
    file.add_parameter("POINT", "X_SCREEN", "+X")
    file.add_parameter("POINT", "Y_SCREEN", "+Z")
    file.add_parameter("SUBJECTS", "NAMES", [even.person.encode("ascii", "replace").decode()])
    file["data"]["points"] = points
    with replacing(path) as temporary, TemporaryDirectory() as folder:
        written = Path(folder) / "motion.c3d"  # it writes to no other suffix
        file.write(str(written))
        temporary.write_bytes(written.read_bytes())
