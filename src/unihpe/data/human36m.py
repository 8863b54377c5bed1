"""Human3.6M as two toolkits pack it: VideoPose3D's npz files (2D and 3D for lifting) and MMPose's npz and cameras.pkl.

3D is metric and comes out in camera axes, mm; 2D is in pixels of the whole picture with lens distortion. The
set's pixels have their origin within half a pixel of ours, which nobody has published: nothing is added.
The set's lens model has tangential terms of half OpenCV's size in one place, so its camera is a class of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from unihpe.camera import Camera
from unihpe.data.human36m_takes import take_of
from unihpe.data.recorded import (
    Array,
    Recorded,
    View,
    as_floats,
    require_body,
    require_finite,
    rotation_of,
    shown,
    spread,
)
from unihpe.data.unpickle import load_npz, load_pickle
from unihpe.data.videopose3d import assemble, read_2d, read_3d, require_bodies, two_d_path
from unihpe.errors import InputError
from unihpe.skeleton import Skeleton, get_skeleton, skeleton

Layout = Literal["videopose3d", "mmpose"]

TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
TEST_SUBJECTS = ("S9", "S11")
# Sequences whose 3D drifts away from the picture; most lifting papers keep them, some leave them out: say which.
DRIFTING = (("S9", "Greeting"), ("S9", "SittingDown 1"), ("S9", "Waiting 1"))
# One subject's files say it otherwise.
ACTION_NAMES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}

IMAGE_NAME = re.compile(r"(S\d+)_([A-Za-z]+(?:_\d+)?)\.(\d+)_(\d+)\.\w+")  # MMPose's, frames from 1

# The raw release's 32 joints; those that only repeat or end a bone keep the raw rig's words.
RAW_JOINTS = (
    "pelvis right_hip right_knee right_ankle right_toe_base right_toe_site left_hip left_knee left_ankle left_toe_base"
    " left_toe_site spine_base spine thorax nose head left_collar left_shoulder left_elbow left_wrist left_wrist_copy"
    " left_thumb left_hand_end left_hand_site right_collar right_shoulder right_elbow right_wrist right_wrist_copy"
    " right_thumb right_hand_end right_hand_site"
)

# Camera name → width, height, fx, fy, cx, cy, k1, k2, k3, p_x, p_y; pixels. Shared by all subjects. Published with
# VideoPose3D (common/h36m_dataset.py); p_x is the coefficient that multiplies x.
INTRINSICS: Mapping[str, tuple[float, ...]] = {
    "54138969": (
        1000,
        1002,
        1145.049438,
        1143.781128,
        512.5415039,
        515.4514771,
        -0.207098916173,
        0.247775182128,
        -0.00307515030727,
        -0.000975698872935,
        -0.00142447161488,
    ),
    "55011271": (
        1000,
        1000,
        1149.675659,
        1147.591675,
        508.8486328,
        508.0649109,
        -0.194213628769,
        0.240408539772,
        0.00681997556239,
        -0.00161902664695,
        -0.00274089444429,
    ),
    "58860488": (
        1000,
        1000,
        1149.140747,
        1148.79895,
        519.8158569,
        501.4026489,
        -0.208338186145,
        0.255488008261,
        -0.00246049743146,
        0.00148438697215,
        -0.000759999325965,
    ),
    "60457274": (
        1000,
        1002,
        1145.511353,
        1144.773926,
        514.9682007,
        501.882019,
        -0.198384091258,
        0.218323677778,
        -0.00894780736417,
        -0.000587205577176,
        -0.0018133620033,
    ),
}

# Subject → per camera, in the order above: quaternion w, x, y, z (camera to world) and the camera's centre, mm, z up.
EXTRINSICS: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "S1": (
        (0.140705645, -0.150070176, -0.755240798, 0.622328043, 1841.1071, 4955.2847, 1563.4454),
        (0.615718782, -0.764836311, -0.148338258, 0.117947407, 1761.2786, -5078.0068, 1606.2650),
        (0.146514729, -0.146478519, 0.765302360, -0.609417558, -1846.7777, 5215.0464, 1491.9724),
        (0.583400846, -0.785316229, 0.145488232, -0.147495940, -1794.7897, -3722.6990, 1574.8927),
    ),
    "S5": (
        (0.146737725, -0.162370965, -0.755189300, 0.617893875, 2097.3916, 4880.9448, 1605.7324),
        (0.615975857, -0.762679219, -0.157281920, 0.118981503, 2031.7008, -5167.9331, 1612.9231),
        (0.142913714, -0.129078418, 0.767838478, -0.611014307, -1620.5948, 5171.6587, 1496.4370),
        (0.592047989, -0.781421781, 0.127474859, -0.150364175, -1637.1737, -3867.3174, 1547.0332),
    ),
    "S6": (
        (0.133789778, -0.156923965, -0.757109046, 0.619887948, 1935.4518, 4950.2456, 1618.0839),
        (0.614719748, -0.762881279, -0.161747679, 0.118192449, 1969.8040, -5128.7388, 1632.7788),
        (0.152994812, -0.135291308, 0.764609635, -0.611278117, -1769.5964, 5185.3613, 1476.9934),
        (0.591610134, -0.780477405, 0.128322706, -0.156159386, -1721.6687, -3884.1313, 1540.4879),
    ),
    "S7": (
        (0.143524185, -0.163133681, -0.754832864, 0.618882477, 1974.5129, 4926.3545, 1597.8326),
        (0.614167273, -0.763826251, -0.159664556, 0.117792994, 1937.0585, -5119.7900, 1631.5665),
        (0.145500600, -0.128748164, 0.766051650, -0.612713933, -1741.8112, 5208.2495, 1464.8246),
        (0.591284811, -0.782176435, 0.124454737, -0.151964873, -1734.7106, -3832.4214, 1548.5830),
    ),
    "S8": (
        (0.141105875, -0.155898675, -0.756191730, 0.619644046, 2150.6519, 4896.1611, 1611.9047),
        (0.616960168, -0.764766812, -0.148463503, 0.111581579, 2219.9656, -5148.4531, 1613.0441),
        (0.147144407, -0.133771196, 0.767012835, -0.610036969, -1571.2216, 5137.0186, 1498.1761),
        (0.592782438, -0.782587051, 0.121478163, -0.146319956, -1476.9133, -3896.7412, 1547.9722),
    ),
    "S9": (
        (0.155405879, -0.155482158, -0.753209531, 0.619959474, 2044.4585, 4935.1172, 1481.2275),
        (0.618784487, -0.763473511, -0.141322389, 0.119339682, 1990.9597, -5123.8105, 1568.8048),
        (0.133578271, -0.136710048, 0.768945456, -0.610073864, -1670.9922, 5211.9858, 1528.3879),
        (0.587939918, -0.782340705, 0.142761439, -0.147948697, -1696.0435, -3827.0999, 1591.4127),
    ),
    "S11": (
        (0.152324721, -0.154423207, -0.754756331, 0.619107008, 2098.4402, 4926.5547, 1500.2786),
        (0.618944943, -0.760091722, -0.153006330, 0.125525832, 2083.1824, -4912.1729, 1561.0786),
        (0.149432287, -0.156502277, 0.768123388, -0.602630436, -1609.8153, 5177.3359, 1537.8967),
        (0.589425147, -0.781887710, 0.139912114, -0.147153616, -1590.7380, -3854.1689, 1578.0176),
    ),
}


@dataclass(frozen=True)
class Human36mCamera(Camera):
    """A camera with the set's own lens model: OpenCV's coefficients, but tangential terms without the factor 2.

    With OpenCV's formula pixels would be up to 0.2 px off; this one gives the set's own 2D.
    """

    def project(self, points: Tensor) -> Tensor:
        """Camera points (..., J, 3) in mm to pixels (..., J, 2); NaN at or behind the camera."""
        depth = points[..., 2:]
        plane = points[..., :2] / torch.where(depth > 0, depth, torch.nan)
        return self.bent(plane) * self.focal[..., None, :] + self.centre[..., None, :]

    def unproject(self, pixels: Tensor, depth: Tensor) -> Tensor:
        """Pixels (..., J, 2) at depth (..., J) in mm back to camera points (..., J, 3), mm."""
        plane = (pixels - self.centre[..., None, :]) / self.focal[..., None, :]
        guess = plane
        for _ in range(20):
            guess = guess + plane - self.bent(guess)
        return torch.cat([guess, torch.ones_like(guess[..., :1])], dim=-1) * depth[..., None]

    def bent(self, plane: Tensor) -> Tensor:
        """The lens on image-plane points (..., J, 2)."""
        if self.distortion is None:
            return plane
        k1, k2, p_y, p_x, k3 = self.distortion[..., None, :].unbind(-1)
        x, y = plane.unbind(-1)
        r2 = x * x + y * y
        factor = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + p_x * x + p_y * y
        return torch.stack([x * factor + p_x * r2, y * factor + p_y * r2], dim=-1)


def published_cameras() -> tuple[dict[tuple[str, str], int], Human36mCamera]:
    """The 28 published cameras, and the row of each (subject, camera name)."""
    keys, inner, outer = [], [], []
    for subject, cameras in EXTRINSICS.items():
        for name, extrinsics in zip(INTRINSICS, cameras, strict=True):
            keys.append((subject, name))
            inner.append(INTRINSICS[name])
            outer.append(extrinsics)
    numbers, places = torch.tensor(inner, dtype=torch.float64), torch.tensor(outer, dtype=torch.float64)
    size, focal, centre, radial, tangential = numbers.split([2, 2, 2, 3, 2], dim=1)
    rotation = rotation_of(places[:, :4]).mT  # published: camera to world
    return dict(zip(keys, range(len(keys)), strict=True)), camera_of(
        size, focal, centre, radial, tangential.flip(1), rotation, places[:, 4:]
    )


def camera_of(
    size: Tensor, focal: Tensor, centre: Tensor, radial: Tensor, tangential: Tensor, rotation: Tensor, place: Tensor
) -> Human36mCamera:
    """Cameras (C) from radial k1, k2, k3 (C, 3), tangential p_y, p_x (C, 2), world-to-camera rotation and centre, mm."""
    k12, k3 = radial.split([2, 1], dim=1)
    translation = -(rotation @ place[..., None])[..., 0]
    distortion = torch.cat([k12, tangential, k3], dim=1)
    parts = (focal, centre, size, rotation, translation, distortion)
    return Human36mCamera(*(part.float() for part in parts))


def open_human36m(root: Path, two_d: str = "gt", layout: Layout | None = None, verify: bool = True) -> Recorded:
    """Human3.6M in a folder, 17 joints (`human36m17`); index = sequence, then camera, then frame.

    Args:
        root: the folder with VideoPose3D's files, or MMPose's `h36m` folder.
        two_d: "gt"; "exact", the projection of the 3D; or, for VideoPose3D, the end of a file name such as
            "cpn_ft_h36m_dbb", for MMPose a row-aligned .npy. Other joint sets are converted by name.
        layout: without it, it is told from the files.
        verify: refuse wrong units and swapped legs.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    match layout or found_layout(root):
        case "videopose3d":
            return open_videopose3d(root, two_d, verify)
        case "mmpose":
            return open_mmpose(root, two_d, verify)


def found_layout(root: Path) -> Layout:
    """The layout of the files in a folder."""
    if (root / "data_3d_h36m.npz").is_file():
        return "videopose3d"
    if mmpose_files(root):
        return "mmpose"
    raise InputError(
        f"{root}: no Human3.6M here: expected data_3d_h36m.npz (VideoPose3D) or annotation_body3d/fps*/h36m_*.npz (MMPose)"
    )


def split_of(subject: str) -> str:
    """train or test, as every protocol but one has it."""
    return "train" if subject in TRAIN_SUBJECTS else "test"


def view_of(subject: str, sequence: str, camera: str) -> View:
    """A view; scores are averaged per action, both takes together."""
    action = sequence.split(" ")[0]
    action = ACTION_NAMES.get(action, action)
    return View(subject, action, sequence, camera, split_of(subject), action)


def drifting(view: View) -> bool:
    """Whether a view belongs to the three sequences whose 3D is known to drift."""
    return (view.subject, view.sequence) in DRIFTING


def second_take(view: View) -> bool:
    """Whether a view is the second take of its action; the number in a name does not say it."""
    take = take_of(view.subject, view.sequence)
    return take is not None and take.number == 2


def raw_skeleton() -> Skeleton:
    """The raw release's 32 joints."""
    return skeleton("human36m32", RAW_JOINTS)


def open_videopose3d(root: Path, two_d: str, verify: bool) -> Recorded:
    """VideoPose3D's files; see `open_human36m`."""
    path, target = root / "data_3d_h36m.npz", get_skeleton("human36m17")
    sequences = read_3d(path, {len(s): s for s in (raw_skeleton(), target)}, target)
    rows, cameras = published_cameras()
    if strange := {s.subject for s in sequences} - set(EXTRINSICS):
        raise InputError(
            f"{path}: no calibration of {shown(sorted(strange))}; the set has 3D of {', '.join(EXTRINSICS)}"
        )
    if verify:
        require_bodies(sequences, target, path)
    detections = None if two_d == "exact" else read_2d(two_d_path(root, "h36m", two_d))
    views = [[view_of(s.subject, s.name, camera) for camera in INTRINSICS] for s in sequences]
    camera_rows = [[rows[s.subject, camera] for camera in INTRINSICS] for s in sequences]
    return assemble(
        sequences, detections, views, camera_rows, cameras, target, f"Human3.6M, VideoPose3D npz, 2D {two_d}"
    )


@dataclass(frozen=True)
class Table:
    """MMPose's npz files as rows, one per picture.

    Attributes:
        names: of the pictures, N.
        poses: (N, 17, 3), metres, camera axes.
        keypoints: (N, 17, 2), pixels.
    """

    names: list[str]
    poses: Array
    keypoints: Array


def mmpose_files(root: Path) -> list[Path]:
    """MMPose's train and test npz under a folder: in it, or in the finest frame rate of annotation_body3d."""
    for folder in (
        root,
        *(root / "annotation_body3d" / fps for fps in ("fps50", "fps10")),
        root / "fps50",
        root / "fps10",
    ):
        if files := [
            folder / f"h36m_{split}.npz" for split in ("train", "test") if (folder / f"h36m_{split}.npz").is_file()
        ]:
            return files
    return []


def open_mmpose(root: Path, two_d: str, verify: bool) -> Recorded:
    """MMPose's files; see `open_human36m`. Pictures are named, not read: frames count from 0, names from 1."""
    files = mmpose_files(root)
    if not files:
        raise InputError(
            f"{root}: no h36m_train.npz or h36m_test.npz here or in annotation_body3d/fps*; give MMPose's folder"
        )
    tables = [read_table(path) for path in files]
    target, names = get_skeleton("human36m17"), [name for table in tables for name in table.names]
    poses = torch.from_numpy(np.concatenate([table.poses for table in tables]))
    keys = [parsed(name, files[0]) for name in names]
    if verify:
        subjects = np.array([key[0] for key in keys])
        for subject in dict.fromkeys(subjects.tolist()):
            rows = torch.from_numpy(np.flatnonzero(subjects == subject))
            require_body(poses[rows[spread(len(rows))]], target, f"{files[0].parent}: {subject}", "m")
    rows_of, cameras = mmpose_cameras(files[0].parent)
    if strange := {(key[0], key[2]) for key in keys} - set(rows_of):
        listed = shown(sorted(" ".join(one) for one in strange))
        raise InputError(f"{files[0].parent}: cameras.pkl has no {listed}; take it from the same place as the npz")
    views = list(dict.fromkeys(key[:3] for key in keys))
    number = {key: n for n, key in enumerate(views)}
    keypoints = mmpose_2d(tables, two_d, files[0].parent)
    every = torch.arange(len(keys))
    folder = files[0].parent.name
    return Recorded(
        skeleton=target,
        views=tuple(view_of(*key) for key in views),
        view=torch.tensor([number[key[:3]] for key in keys]),
        frame=torch.tensor([key[3] for key in keys]),
        pose=poses * 1000,
        pose_row=every,
        keypoints=None if keypoints is None else keypoints[0],
        confidence=None if keypoints is None else keypoints[1],
        keypoint_row=every,
        cameras=cameras,
        camera=torch.tensor([rows_of[key[0], key[2]] for key in keys]),
        in_world=False,
        layout=f"Human3.6M, MMPose npz ({folder}), 2D {two_d}",
    )


def read_table(path: Path) -> Table:
    """One of MMPose's npz files.

    Raises:
        InputError: for arrays of another shape, poses that are not finite, or arrays of different length.
    """
    content = load_npz(path, ("imgname", "part", "S"))
    names = [str(name) for name in np.asarray(content["imgname"]).ravel()]
    joints = len(get_skeleton("human36m17"))
    poses = as_floats(content["S"], (None, joints, None), str(path), "3D poses (S)")
    keypoints = as_floats(content["part"], (None, joints, None), str(path), "2D joints (part)")
    if poses.shape[2] < 3 or keypoints.shape[2] < 2:
        raise InputError(
            f"{path}: S needs x, y, z and part x, y; the file has {poses.shape[2]} and {keypoints.shape[2]}"
        )
    if not len(names) == len(poses) == len(keypoints):
        raise InputError(
            f"{path}: {len(names)} names, {len(poses)} poses and {len(keypoints)} sets of keypoints; make the file again"
        )
    require_finite(poses, str(path))
    if (poses[..., 2] <= 0).any():
        raise InputError(
            f"{path}: 3D lies behind the camera; this layout has absolute camera axes, not relative to the pelvis"
        )
    return Table(names, poses[..., :3].astype(np.float32), keypoints[..., :2].astype(np.float32))


def parsed(name: str, path: Path) -> tuple[str, str, str, int]:
    """Subject, sequence, camera and frame (from 0) of a picture's name."""
    match = IMAGE_NAME.fullmatch(name.replace("\\", "/").rsplit("/", 1)[-1])
    if match is None:
        raise InputError(
            f"{path}: picture '{name}' is not named like S9_Greeting_1.54138969_000001.jpg; use MMPose's script"
        )
    subject, sequence, camera, number = match.groups()
    return subject, sequence.replace("_", " "), camera, int(number) - 1


def mmpose_2d(tables: list[Table], two_d: str, folder: Path) -> tuple[Tensor, Tensor] | None:
    """2D (N, 17, 2), pixels, and confidence (N, 17); None for "exact"."""
    if two_d == "exact":
        return None
    if two_d == "gt":
        points = torch.from_numpy(np.concatenate([table.keypoints for table in tables]))
        seen = points.isfinite().all(-1)
        return torch.where(seen[..., None], points, torch.nan), seen.float()
    path, shape = folder / two_d, (sum(len(t.names) for t in tables), len(get_skeleton("human36m17")), 3)
    try:
        loaded = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path}: no readable npy ({' '.join(str(error).split())[:120]}); 2D is gt, exact or such a file"
        ) from error
    points = torch.from_numpy(as_floats(loaded, shape, str(path), "2D joints").astype(np.float32))
    return points[..., :2], points[..., 2].clamp(0, 1)


def mmpose_cameras(folder: Path) -> tuple[dict[tuple[str, str], int], Human36mCamera]:
    """The cameras of cameras.pkl, in the folder or above it; without that file the published ones, which are the same."""
    for path in (folder / "cameras.pkl", folder.parent / "cameras.pkl"):
        if path.is_file():
            return read_cameras(path)
    return published_cameras()


def read_cameras(path: Path) -> tuple[dict[tuple[str, str], int], Human36mCamera]:
    """MMPose's cameras.pkl: (subject, camera name) → R (camera to world), T (the centre, metres), c, f, k, p (y first)."""
    content = load_pickle(path)
    keys: dict[tuple[str, str], int] = {}
    shapes = {"f": 2, "c": 2, "k": 3, "p": 2, "T": 3, "R": 9, "w": 1, "h": 1}
    rows: dict[str, list[Array]] = {key: [] for key in shapes}
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: holds no dict of cameras; take it from the same place as the npz")
    for key, camera in content.items():
        if (
            not isinstance(key, tuple)
            or len(key) != 2
            or not isinstance(camera, dict)
            or not shapes.keys() <= camera.keys()
        ):
            raise InputError(
                f"{path}: camera {key!r} is not one of MMPose's, with {', '.join(shapes)}; use MMPose's script"
            )
        keys[str(key[0]), str(key[1])] = len(keys)
        for part, size in shapes.items():
            values = np.asarray(camera[part], dtype=np.float64).ravel()
            rows[part].append(as_floats(values, (size,), f"{path}: camera {key}", part))
    parts: dict[str, Tensor] = {key: torch.from_numpy(np.stack(values)) for key, values in rows.items()}
    size_of = torch.cat([parts["w"], parts["h"]], dim=1)
    rotation = parts["R"].view(-1, 3, 3).mT
    require_rotations(rotation, path)
    return keys, camera_of(size_of, parts["f"], parts["c"], parts["k"], parts["p"], rotation, parts["T"] * 1000)


def require_rotations(rotation: Tensor, path: Path) -> None:
    """Raise for matrices (C, 3, 3) that are no rotations."""
    eye = torch.eye(3, dtype=rotation.dtype)
    if bool(((rotation @ rotation.mT - eye).abs() > 1e-3).any()):
        raise InputError(f"{path}: a camera's R is no rotation; take the file from the same place as the npz")
