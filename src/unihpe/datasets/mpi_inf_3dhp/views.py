"""MPI-INF-3DHP's sequences, lenses and pictures' names, and what a reader of it is asked for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import torch

from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton
from unihpe.datasets.proofs import require_body
from unihpe.datasets.recorded import View
from unihpe.errors import InputError
from unihpe.io.arrays import Array, require_finite
from unihpe.io.files import packaged_toml

Truth = Literal["annot3", "univ_annot3"]
# Frames that both the annotation, which may be longer, and the videos have.
COUNTS = (
    *(6416, 12430, 6502, 6081, 12488, 12283, 6171, 6675),
    *(12820, 12312, 6188, 6145, 6239, 6320, 6468, 6054),
)
USABLE = {(n // 2 + 1, n % 2 + 1): count for n, count in enumerate(COUNTS)}  # by S and Seq
CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)  # the eight that papers use; 11 to 13 hang from the ceiling
CAMERA_COUNT = 14
FAST = ((1, 2), (3, 1), (3, 2), (5, 1), (5, 2))  # recorded at 50 frames a second, the others at 25
TRAIN_SIZE = (2048.0, 2048.0)
TEST_SIZES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("TS1", "TS2", "TS3", "TS4"), TRAIN_SIZE),
    **dict.fromkeys(("TS5", "TS6"), (1920.0, 1080.0)),
}
LENSES: Mapping[str, list[float]] = packaged_toml(__package__, "lenses.toml")
# MMPose's flat names, SPIN's and VIBE's folders, the test set's own; frames count from 1.
TRAIN_NAME = re.compile(
    r"S(\d)[_/]Seq(\d)[_/](?:imageFrames/)?(?:Cam|video_)(\d+)[_/](?:frame_)?(\d+)\.\w+$"
)
TEST_NAME = re.compile(r"TS(\d)[_/](?:imageSequence/img_)?(\d+)\.\w+$")


@dataclass(frozen=True)
class Wanted:
    joints: Skeleton
    truth: Truth | None  # None takes what the files hold
    cameras: Sequence[int]  # of the raw training set
    verify: bool  # refuse wrong units and swapped legs

    def require_truth(self, held: Truth, where: Path) -> None:
        """Raise where another truth is asked for than the one that a file holds."""
        if self.truth not in (None, held):
            remedy = f"take the raw files, which have both, or a protocol on {held}"
            raise InputError(f"{where}: holds {held}, not {self.truth}; {remedy}")

    def require_poses(self, poses: Array, skeleton: Skeleton, where: str, unit: str) -> None:
        """Raise for poses (N, J, 3) not finite or, with `verify`, of another unit or swapped."""
        require_finite(poses, where)
        if self.verify and len(poses):
            require_body(torch.from_numpy(poses).float(), skeleton, where, unit)


@cache
def train_view(subject: int, sequence: int, camera: str) -> View:
    person, name = f"S{subject}", f"Seq{sequence}"
    return View(person, "unknown", name, camera, "train", f"{person} {name}")


@cache
def test_view(name: str) -> View:
    return View(name, "unknown", name, "camera", "test", name)


def view_named(name: str, path: Path) -> tuple[View, int]:
    """The view and the frame (from 0) that a picture's name means; an InputError for others."""
    plain = name.replace("\\", "/")
    if match := TRAIN_NAME.search(plain):
        subject, sequence, camera, frame = (int(digits) for digits in match.groups())
        return train_view(subject, sequence, str(camera)), frame - 1
    if match := TEST_NAME.search(plain):
        return test_view(f"TS{match[1]}"), int(match[2]) - 1
    what = f"picture '{name[:80]}' is named like none of MPI-INF-3DHP's"
    raise InputError(f"{path}: {what}; use the scripts of MMPose or SPIN")


def published_lenses(views: Sequence[View], where: Path) -> Camera:
    """A camera for each view, at the origin of the poses; an InputError where no lens is known."""
    keys = [view.sequence if view.split == "test" else view.camera for view in views]
    if unknown := sorted(set(keys) - LENSES.keys()):
        what = f"no lens is known of camera {', '.join(unknown)}"
        raise InputError(f"{where}: {what}; there are {', '.join(LENSES)}")
    numbers = torch.tensor([LENSES[key] for key in keys])
    size = torch.tensor([TEST_SIZES.get(view.sequence, TRAIN_SIZE) for view in views])
    return replace(Camera.simple(size), focal=numbers[:, :2], centre=numbers[:, 2:])
