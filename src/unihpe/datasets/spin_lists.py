"""SPIN's lists of pictures, npz files that many projects share: a name, a box, and 24 joints
relative to the pelvis in metres.

They hold no cameras and no places: both come from elsewhere, and a person is put where the 3D best
meets its 2D, or, in lists without 2D, where it fills its box.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unihpe.body.camera import Camera, place
from unihpe.body.skeleton import Skeleton, get_skeleton
from unihpe.errors import InputError
from unihpe.io.arrays import as_floats, float32, require_finite
from unihpe.io.pickles import load_npz, npz_keys, npz_shape

PIXELS = 200.0  # the unit of `scale`
MASK_BOX = 0.9  # lists without 2D have boxes made of the set's masks, times this


@dataclass(frozen=True)
class _SpinList:
    """N pictures."""

    names: list[str]  # of the pictures
    pose: Tensor  # (N, J, 3), mm, relative to the pelvis, camera axes
    keypoints: Tensor | None  # (N, J, 2), pixels, NaN where missing; None in lists without 2D
    centre: Tensor  # of the square box, (N, 2), pixels
    side: Tensor  # of the square box, (N,), pixels


def is_spin(path: Path) -> bool:
    """Whether a file is a list with 3D joints; MMPose's files of the same name have 17."""
    return (npz_shape(path, "S") or ())[1:2] == (len(get_skeleton("spin24")),)


def read_spin(path: Path, target: Skeleton, words: Mapping[str, str]) -> _SpinList:
    """A list in the joints of `target`, whose names `words` turn into SPIN's."""
    source = get_skeleton("spin24")
    columns = [source.index(words.get(joint, joint)) for joint in target.joints]
    keys = ("imgname", "center", "scale", "S") + (("part",) if "part" in npz_keys(path) else ())
    content, where = load_npz(path, keys), str(path)
    joints = as_floats(content["S"], (None, len(source), 4), where, "3D joints (S)")[:, columns]
    require_finite(joints[..., :3], where)
    if len(absent := np.flatnonzero(~(joints[..., 3] > 0).all(0))):
        lacking = f"some people lack the 3D of {', '.join(target.joints[n] for n in absent)}"
        raise InputError(f"{where}: {lacking}; this is no list of this set")
    centre = as_floats(content["center"], (None, 2), where, "center")
    scale = as_floats(np.asarray(content["scale"]).reshape(-1), (None,), where, "scale")
    names = [str(name) for name in np.asarray(content["imgname"]).ravel()]
    keypoints, lengths = None, {len(names), len(joints), len(centre), len(scale)}
    if "part" in content:
        part = as_floats(content["part"], (None, len(source), 3), where, "2D joints (part)")
        points = float32(part[:, columns])
        keypoints = torch.where(points[..., 2:] > 0, points[..., :2], torch.nan)
        lengths.add(len(keypoints))
    if len(lengths) > 1:
        raise InputError(f"{path}: arrays of different length, {sorted(lengths)}; get it again")
    pose = float32(joints[..., :3]) * 1000
    return _SpinList(names, pose, keypoints, float32(centre), float32(scale * PIXELS))


def placed(people: _SpinList, camera: Camera) -> Tensor:
    """The poses (N, J, 3), mm, where N cameras see them: by their 2D, else by their box."""
    if people.keypoints is None:
        shift = place_by_box(people.pose, people.centre, people.side / MASK_BOX, camera)
    else:
        seen = people.keypoints.isfinite().all(-1)
        shift = place(people.pose, people.keypoints, camera, seen).nan_to_num(0)
    return people.pose + shift[:, None]


def place_by_box(pose: Tensor, centre: Tensor, side: Tensor, camera: Camera) -> Tensor:
    """The shift (N, 3), mm, that makes the longer side of poses (N, J, 3) fill boxes, pixels."""
    low, high = pose[..., :2].amin(1), pose[..., :2].amax(1)
    depth = camera.focal.mean(-1) * (high - low).amax(-1) / side.clamp(min=1)
    middle = camera.unproject(centre[:, None], depth[:, None])[:, 0]
    return torch.cat([middle[:, :2] - (low + high) / 2, depth[:, None]], dim=-1)
