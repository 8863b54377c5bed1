"""HumanEva-I in VideoPose3D's npz layout: 15 joints, three colour cameras, 60 Hz, 640 × 480.

3D is world axes (z up) and comes out in camera axes, mm. No intrinsics are published with these
files, so each camera's focal length and principal point are fitted to its 2D; lens distortion stays
in as an error of about a pixel. The set says nothing of half pixels: nothing is added to 2D.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from unihpe.body.camera import Camera, rotation_of
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.proofs import with_fitted_intrinsics
from unihpe.datasets.recorded import Recorded, View
from unihpe.datasets.videopose3d import assemble, read_2d, read_3d, require_bodies
from unihpe.errors import InputError, listing
from unihpe.io.files import packaged_toml

CAMERAS = ("C1", "C2", "C3")
SIZE = (640.0, 480.0)
# HumanEva's own test set has no public 3D.
SPLITS: Mapping[str, str] = {"Train": "train", "Validate": "val"}
EXTRINSICS: Mapping[str, list[list[float]]] = packaged_toml(__package__, "extrinsics.toml")


def open_humaneva(root: Path, two_d: str = "gt", verify: bool = True) -> Recorded:
    """HumanEva-I in a folder, 15 joints (`humaneva15`); index = sequence, then camera, then frame.

    Args:
        root: the folder with data_3d_humaneva15.npz and data_2d_humaneva15_*.npz.
        two_d: "gt"; "exact", the projection of the 3D by the fitted cameras; or the end of another
            file's name.
        verify: refuse wrong units and swapped legs.
    """
    path, target = root / "data_3d_humaneva15.npz", get_skeleton("humaneva15")
    everyone = read_3d(path, {len(target): target}, target)
    sequences = [s for s in everyone if not s.subject.startswith("Unlabeled")]
    subjects = dict.fromkeys(s.subject for s in sequences)
    known = {f"{split}/{person}" for split, person in product(SPLITS, EXTRINSICS)}
    if unknown := [name for name in subjects if name not in known]:
        expected = "expected Train/S1 to Validate/S3"
        raise InputError(f"{path}: no calibration of {listing(unknown)}; {expected}")
    if verify:
        require_bodies(sequences, target, path)
    rows = {key: row for row, key in enumerate(product(EXTRINSICS, CAMERAS))}
    views = [_view_of(s.subject, s.name, camera) for s in sequences for camera in CAMERAS]
    seen = [(view, rows[view.subject, view.camera]) for view in views]

    def opened(name: str) -> Recorded:
        detections = read_2d(root, "humaneva15", name)
        layout = f"HumanEva-I, VideoPose3D npz, 2D {two_d}"
        return assemble(sequences, detections, seen, published_extrinsics(), target, layout)

    recorded = opened("gt" if two_d == "exact" else two_d)
    other = two_d not in ("gt", "exact") and (root / "data_2d_humaneva15_gt.npz").is_file()
    fitted = with_fitted_intrinsics(opened("gt") if other else recorded)
    recorded = replace(recorded, cameras=fitted.cameras)
    return replace(recorded, keypoints=None, confidence=None) if two_d == "exact" else recorded


def _view_of(subject: str, sequence: str, camera: str) -> View:
    """A view of 'Train/S1', 'Walking 1 chunk0'; scores are means per subject and action."""
    split, _, person = subject.partition("/")
    action = sequence.split(" ")[0]
    return View(person, action, sequence, camera, SPLITS[split], f"{person} {action}")


def published_extrinsics() -> Camera:
    """The cameras of all subjects, one after the other; intrinsics are yet to be fitted."""
    places = torch.tensor(list(EXTRINSICS.values()), dtype=torch.float64).flatten(0, 1)
    rotation = rotation_of(places[:, :4]).mT
    translation: Tensor = -(rotation @ places[:, 4:, None])[..., 0]
    size = torch.tensor(SIZE).expand(len(places), 2)
    return replace(Camera.simple(size), rotation=rotation.float(), translation=translation.float())
