"""TRC: markers over time, of OpenSim and its like."""

from pathlib import Path

import numpy as np

from unihpe.export.motion import Motion
from unihpe.io.files import write_text


def write_trc(path: Path, motion: Motion) -> None:
    """Write one person's joints as markers: mm, y up; NaN where the person is away.

    Blanks would be as common, but OpenSim 4.6 refuses a line that ends in one. The time of each
    frame is its own in the clip; the rate in the head is the mean.
    """
    joints, rate = motion.skeleton.joints, motion.rate
    count = len(motion.time)
    head = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame"
        "\tOrigNumFrames",
        f"{rate:.6f}\t{rate:.6f}\t{count}\t{len(joints)}\tmm\t{rate:.6f}\t1\t{count}",
        "Frame#\tTime\t" + "\t\t\t".join(joints) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{n}" for n in range(1, len(joints) + 1) for axis in "XYZ"),
        "",
    ]
    places = motion.places.flatten(1).numpy()
    rows = []
    for n, (time, own) in enumerate(zip(motion.time.tolist(), places, strict=True), 1):
        cells = ["NaN" if np.isnan(value) else f"{value:.4f}" for value in own]
        rows.append("\t".join([str(n), f"{time:.6f}", *cells]))
    write_text(path, "\n".join([*head, *rows]) + "\n")
