"""A stand-in for HumanEva-I where nobody has the set: real motion in its true layout.

Nine motions of the CMU database (three "subjects" with three "actions", 60 Hz, 9,720 frames) filmed
by HumanEva's own cameras, written as VideoPose3D writes the set: `data_3d_humaneva15.npz` and
`data_2d_humaneva15_gt.npz`, runs of valid frames as chunks. Train and Validate are the two halves
of each motion. The lenses distort a little, as the real ones do, which the fitted pinhole must
absorb. The action names are the set's, the motions are not: figures on it compare with each other
and with no table.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.humaneva.reader import CAMERAS, published_extrinsics
from unihpe.datasets.motion.source import Motion, open_motion

ACTIONS = ("Walking", "Jog", "Box")
MOTIONS = {
    "S1": ("amc1/02_10.amc", "amc1/02_07.amc", "amc1/02_06.amc"),
    "S2": ("walkcycles/144_33.bvh", "walkcycles/144_34.bvh", "walkcycles/114_13.bvh"),
    "S3": ("amc1/03_04.amc", "amc1/03_03.amc", "amc1/01_07.amc"),
}
FRAMES = 540  # of each motion, 30 Hz
LENSES = torch.tensor(
    [[766.0, 770.0, 321.0, 236.0], [777.0, 772.0, 318.0, 244.0], [760.0, 765.0, 330.0, 241.0]]
)
BEND = -0.15  # radial, of the squared distance from the axis
CHUNK, GAP = (2, 300), 6  # frames


def write_stand_in(motion: Path, folder: Path, seed: int = 0) -> None:
    """Write both files into `folder`, out of the motion npz (docs/data.md)."""
    poses_of = by_name(open_motion(motion).converted(get_skeleton("humaneva15")))
    rng = np.random.default_rng(seed)
    world: dict[str, dict[str, np.ndarray]] = {}
    flat: dict[str, dict[str, list[np.ndarray]]] = {}
    for row, (subject, names) in enumerate(MOTIONS.items()):
        for action, name in zip(ACTIONS, names, strict=True):
            poses = at_60_hz(z_up(poses_of[name][:FRAMES]))
            for split, half in zip(("Train", "Validate"), poses.chunk(2), strict=True):
                for n, part in enumerate(chunks(half, rng)):
                    key, sequence = f"{split}/{subject}", f"{action} 1 chunk{n}"
                    world.setdefault(key, {})[sequence] = (part / 1000).float().numpy()
                    views = [
                        seen(part, row * len(CAMERAS) + camera, camera)
                        for camera in range(len(CAMERAS))
                    ]
                    flat.setdefault(key, {})[sequence] = views
    left, right = (
        [n for n, j in enumerate(JOINTS) if j.startswith(side)] for side in ("left_", "right_")
    )
    metadata = {
        "layout_name": "humaneva15",
        "num_joints": len(JOINTS),
        "keypoints_symmetry": [left, right],
    }
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "data_3d_humaneva15.npz", positions_3d=world)  # type: ignore[arg-type]
    np.savez_compressed(folder / "data_2d_humaneva15_gt.npz", positions_2d=flat, metadata=metadata)  # type: ignore[arg-type]


JOINTS = get_skeleton("humaneva15").joints


def by_name(motion: Motion) -> dict[str, Tensor]:
    """The poses of each motion by its name."""
    parts = motion.poses.split(
        torch.bincount(motion.sequence, minlength=len(motion.names)).tolist()
    )
    return dict(zip(motion.names, parts, strict=True))


def z_up(poses: Tensor) -> Tensor:
    """World axes y up to z up, the same hand."""
    x, y, z = poses.unbind(-1)
    return torch.stack([x, -z, y], dim=-1)


def at_60_hz(poses: Tensor) -> Tensor:
    """Twice as many poses (T, J, 3), those between half way."""
    between = (poses + torch.cat([poses[1:], poses[-1:]])) / 2
    return torch.stack([poses, between], dim=1).flatten(0, 1)


def chunks(poses: Tensor, rng: np.random.Generator) -> list[Tensor]:
    """Runs of valid frames with gaps of lost ones between."""
    found, start = [], 0
    while start + CHUNK[0] <= len(poses):
        length = int(rng.integers(*CHUNK))
        found.append(poses[start : start + length])
        start += length + GAP
    return found


def seen(world: Tensor, row: int, camera: int) -> np.ndarray:
    """The pixels of world points (T, J, 3), mm, in one of the cameras, (T, J, 2)."""
    placed = published_extrinsics().select(torch.full((len(world),), row))
    x = placed.to_camera(world)
    plane = x[..., :2] / x[..., 2:]
    bent = plane * (1 + BEND * plane.square().sum(-1, keepdim=True))
    lens: Tensor = LENSES[camera]
    return (bent * lens[:2] + lens[2:]).float().numpy()
