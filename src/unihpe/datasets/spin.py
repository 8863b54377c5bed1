"""SPIN's lists of pictures, npz files that many projects share: a name, a box, and 24 joints
relative to the pelvis in metres.

They hold no cameras and no places: both come from elsewhere, and a person is put where the 3D best
meets its 2D, or, in lists without 2D, where it fills its box.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.errors import InputError
from unihpe.io.arrays import Array, as_floats, require_finite
from unihpe.io.pickles import load_npz, npz_keys, npz_shape

PIXELS = 200.0  # the unit of `scale`
MASK_BOX = (
    0.9  # of Human3.6M's lists without 2D: their boxes are made of the set's masks, times this
)
# What SPIN's slots are in two sets' own words.
HUMAN36M_WORDS = {"thorax": "neck", "nose": "jaw"}
MPI_INF_3DHP_WORDS = {"head": "jaw", "head_top": "head"}


@dataclass(frozen=True)
class SpinList:
    """N pictures.

    Attributes:
        names: of the pictures.
        pose: (N, J, 3), mm, relative to the pelvis, camera axes.
        keypoints: (N, J, 2), pixels, NaN where missing; None in lists without 2D.
        centre, side: of the square box, (N, 2) and (N,), pixels.
    """

    names: list[str]
    pose: Tensor
    keypoints: Tensor | None
    centre: Tensor
    side: Tensor


def is_spin(path: Path) -> bool:
    """Whether a file is one of SPIN's lists with 3D joints; MMPose's files of the same name have 17."""
    return (npz_shape(path, "S") or ())[1:2] == (len(get_skeleton("spin24")),)


def read_spin(path: Path, target: Skeleton, words: Mapping[str, str]) -> SpinList:
    """A list in the joints of `target`, whose names `words` turn into SPIN's.

    Raises:
        InputError: for a file that cannot be read, or does not hold these joints.
    """
    source = get_skeleton("spin24")
    columns = [source.index(words.get(joint, joint)) for joint in target.joints]
    keys = ("imgname", "center", "scale", "S") + (("part",) if "part" in npz_keys(path) else ())
    content = load_npz(path, keys)
    joints = as_floats(content["S"], (None, len(source), 4), str(path), "3D joints (S)")[:, columns]
    require_joints(joints, target, path)
    pose = torch.from_numpy(joints[..., :3].astype(np.float32)) * 1000
    names = [str(name) for name in np.asarray(content["imgname"]).ravel()]
    centre = as_floats(content["center"], (None, 2), str(path), "center")
    scale = as_floats(np.asarray(content["scale"]).reshape(-1), (None,), str(path), "scale")
    keypoints = None
    if "part" in content:
        part = as_floats(content["part"], (None, len(source), 3), str(path), "2D joints (part)")[
            :, columns
        ]
        points = torch.from_numpy(part.astype(np.float32))
        keypoints = torch.where(points[..., 2:] > 0, points[..., :2], torch.nan)
    lengths = {
        len(names),
        len(pose),
        len(centre),
        len(scale),
        len(pose) if keypoints is None else len(keypoints),
    }
    if len(lengths) > 1:
        raise InputError(
            f"{path}: arrays of different length, {sorted(lengths)}; get the list again"
        )
    sides = torch.from_numpy((scale * PIXELS).astype(np.float32))
    return SpinList(names, pose, keypoints, torch.from_numpy(centre.astype(np.float32)), sides)


def require_joints(joints: Array, target: Skeleton, path: Path) -> None:
    """Raise for joints (N, J, 4) that are not finite, or that a list says it does not have."""
    require_finite(joints[..., :3], str(path))
    if len(absent := np.flatnonzero(~(joints[..., 3] > 0).all(0))):
        listed = ", ".join(target.joints[n] for n in absent)
        raise InputError(
            f"{path}: some people lack the 3D of {listed}; this is no list of this set"
        )


def placed(people: SpinList, camera: Camera) -> Tensor:
    """The poses (N, J, 3), mm, where N cameras see them: by their 2D, else by their box."""
    if people.keypoints is None:
        return (
            people.pose
            + place_by_box(people.pose, people.centre, people.side / MASK_BOX, camera)[:, None]
        )
    return people.pose + place_by_2d(people.pose, people.keypoints, camera)[:, None]


def place_by_2d(pose: Tensor, keypoints: Tensor, camera: Camera) -> Tensor:
    """The shift (N, 3), mm, that brings poses (N, J, 3) nearest to their 2D (N, J, 2): linear least
    squares.

    With (x, y) a joint's 2D on the plane at depth 1, x (Z + z) = X + tx is linear in the shift.
    """
    one = torch.ones(pose.shape[:-1])
    plane = camera.unproject(keypoints, one)[
        ..., :2
    ].double()  # double: depths are thousands of times the shifts that matter
    pose, one = pose.double(), one.double()
    zero = torch.zeros_like(one)
    rows = torch.cat(
        [
            torch.stack([one, zero, -plane[..., 0]], -1),
            torch.stack([zero, one, -plane[..., 1]], -1),
        ],
        dim=1,
    )  # (N, 2J, 3)
    sides = torch.cat([plane[..., k] * pose[..., 2] - pose[..., k] for k in (0, 1)], dim=1)[
        ..., None
    ]
    known = sides.isfinite() & rows.isfinite().all(-1, keepdim=True)
    rows, sides = torch.where(known, rows, 0.0), torch.where(known, sides, 0.0)
    shift: Tensor = torch.linalg.lstsq(rows, sides).solution[..., 0]
    return shift.float()


def place_by_box(pose: Tensor, centre: Tensor, side: Tensor, camera: Camera) -> Tensor:
    """The shift (N, 3), mm, that makes the longer side of poses (N, J, 3) fill `side` (N,) pixels about `centre` (N, 2)."""
    low, high = pose[..., :2].amin(1), pose[..., :2].amax(1)
    depth = camera.focal.mean(-1) * (high - low).amax(-1) / side.clamp(min=1)
    middle = camera.unproject(centre[:, None], depth[:, None])[:, 0]
    return torch.cat([middle[:, :2] - (low + high) / 2, depth[:, None]], dim=-1)
