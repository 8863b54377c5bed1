"""What every packaging of MPI-INF-3DHP shares: its numbers, its lenses, the names of its pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.recorded import Recorded, View
from unihpe.errors import InputError
from unihpe.io.arrays import Array

Truth = Literal["annot3", "univ_annot3"]
# Frames that both the annotation and the videos have; the annotation of some sequences goes on.
USABLE: Mapping[tuple[int, int], int] = {
    (1, 1): 6416, (1, 2): 12430, (2, 1): 6502, (2, 2): 6081, (3, 1): 12488, (3, 2): 12283, (4, 1): 6171, (4, 2): 6675,
    (5, 1): 12820, (5, 2): 12312, (6, 1): 6188, (6, 2): 6145, (7, 1): 6239, (7, 2): 6320, (8, 1): 6468, (8, 2): 6054,
}  # fmt: skip
CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)  # the eight that papers use; 11 to 13 hang from the ceiling
CAMERA_COUNT = 14
FAST = ((1, 2), (3, 1), (3, 2), (5, 1), (5, 2))  # recorded at 50 frames a second, the others at 25
TEST_SIZES: Mapping[str, tuple[float, float]] = {
    **{f"TS{n}": (2048.0, 2048.0) for n in range(1, 5)},
    **{f"TS{n}": (1920.0, 1080.0) for n in (5, 6)},
}
TRAIN_SIZE = (2048.0, 2048.0)
# fx, fy, cx, cy in pixels: of the training cameras, alike in all sequences; of the test sequences,
# which give none, as fitted to their 2D and 3D (MMPose's cameras_test.pkl, ZeDO).
LENSES: Mapping[str, tuple[float, float, float, float]] = {
    "0": (1497.693, 1497.103, 1024.704, 1051.394),
    "1": (1495.217, 1495.52, 1030.519, 1052.626),
    "2": (1495.587, 1497.828, 983.8873, 987.5902),
    "4": (1490.952, 1491.108, 987.6075, 1019.069),
    "5": (1500.414, 1499.971, 1012.331, 998.5009),
    "6": (1498.471, 1498.8, 999.7319, 1010.251),
    "7": (1498.831, 1499.674, 987.2716, 976.8773),
    "8": (1500.172, 1500.837, 1017.387, 1043.032),
    "TS1": (1500.069, 1500.659, 1017.379, 1043.063),
    "TS2": (1503.780, 1501.269, 1015.235, 1038.679),
    "TS3": (1500.041, 1500.590, 1017.392, 1043.046),
    "TS4": (1499.926, 1500.757, 1017.368, 1042.989),
    "TS5": (1683.483, 1671.927, 939.928, 560.207),
    "TS6": (1683.975, 1672.675, 939.848, 560.116),
}
# MMPose's flat names, SPIN's and VIBE's folders, the test set's own; frames count from 1.
TRAIN_NAME = re.compile(
    r"S(\d)[_/]Seq(\d)[_/](?:imageFrames/)?(?:Cam|video_)(\d+)[_/](?:frame_)?(\d+)\.\w+$"
)
TEST_NAME = re.compile(r"TS(\d)[_/](?:imageSequence/img_)?(\d+)\.\w+$")
ACTIVITIES = (
    "Standing/Walking",
    "Exercising",
    "Sitting",
    "Reaching/Crouching",
    "On the floor",
    "Sports",
    "Miscellaneous",
)


@dataclass(frozen=True)
class Part:
    """One view's people.

    Attributes:
        view: names it.
        frame: (N,), counted from 0.
        pose: (N, J, 3), mm, camera axes.
        keypoints: (N, J, 2), pixels.
    """

    view: View
    frame: Array
    pose: Array
    keypoints: Array


def joined(
    parts: Sequence[Part],
    cameras: Camera,
    target: Skeleton,
    layout: str,
    notes: tuple[str, ...] = (),
) -> Recorded:
    """Views one after the other; view n was seen by camera n."""
    lengths = torch.tensor([len(part.frame) for part in parts])
    every = torch.arange(int(lengths.sum()))
    number: Tensor = torch.repeat_interleave(torch.arange(len(parts)), lengths)
    points = torch.from_numpy(np.concatenate([part.keypoints for part in parts]))
    seen = points.isfinite().all(-1)
    return Recorded(
        skeleton=target,
        views=tuple(part.view for part in parts),
        view=number,
        frame=torch.from_numpy(np.concatenate([part.frame for part in parts])).long(),
        pose=torch.from_numpy(np.concatenate([part.pose for part in parts])),
        pose_row=every,
        keypoints=torch.where(seen[..., None], points, torch.nan),
        confidence=seen.float(),
        keypoint_row=every,
        cameras=cameras,
        camera=number,
        in_world=False,
        layout=layout,
        notes=notes,
    )


@cache
def train_view(subject: int, sequence: int, camera: str) -> View:
    """A camera's view of one training sequence."""
    return View(
        f"S{subject}", "unknown", f"Seq{sequence}", camera, "train", f"S{subject} Seq{sequence}"
    )


@cache
def test_view(name: str) -> View:
    """One test sequence."""
    return View(name, "unknown", name, "camera", "test", name)


def view_named(name: str, path: Path) -> tuple[View, int]:
    """The view and the frame (from 0) that a picture's name means.

    Raises:
        InputError: for a name of no known kind.
    """
    plain = name.replace("\\", "/")
    if found := TRAIN_NAME.search(plain):
        subject, sequence, camera, frame = found.groups()
        return train_view(int(subject), int(sequence), str(int(camera))), int(frame) - 1
    if found := TEST_NAME.search(plain):
        return test_view(f"TS{found[1]}"), int(found[2]) - 1
    raise InputError(
        f"{path}: picture '{name[:80]}' is named like none of MPI-INF-3DHP's; use the scripts of MMPose or SPIN"
    )


def key_of(view: View) -> str:
    """What `LENSES` calls a view's camera."""
    return view.sequence if view.split == "test" else view.camera


def published_lenses(views: Sequence[View], where: Path) -> Camera:
    """A camera for each view, at the origin of the poses.

    Raises:
        InputError: for a camera whose lens is published nowhere.
    """
    if strange := sorted({key_of(view) for view in views} - LENSES.keys()):
        raise InputError(
            f"{where}: no lens is known of camera {', '.join(strange)}; there are {', '.join(LENSES)}"
        )
    numbers = torch.tensor([LENSES[key_of(view)] for view in views])
    size = torch.tensor(
        [TEST_SIZES[view.sequence] if view.split == "test" else TRAIN_SIZE for view in views]
    )
    eye = torch.eye(3).expand(len(views), 3, 3)
    return Camera(numbers[:, :2], numbers[:, 2:], size, eye, torch.zeros(len(views), 3))


def require_truth(asked: Truth | None, held: Truth, where: Path) -> None:
    """Raise where another truth is asked for than the one that a file holds."""
    if asked not in (None, held):
        raise InputError(
            f"{where}: holds {held}, not {asked}; take the raw files, which have both, or a protocol on {held}"
        )
