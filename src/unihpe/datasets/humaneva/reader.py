"""HumanEva-I in VideoPose3D's npz layout: 15 joints, three colour cameras, 60 Hz, 640 × 480.

3D is world axes (z up) and comes out in camera axes, mm. No intrinsics are published with these
files, so each camera's focal length and principal point are fitted to its 2D; lens distortion stays
in as an error of about a pixel. The set says nothing of half pixels: nothing is added to 2D.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.recorded import Recorded, View, rotation_of, with_fitted_intrinsics
from unihpe.datasets.videopose3d import assemble, read_2d, read_3d, require_bodies, two_d_path
from unihpe.errors import InputError, listing

CAMERAS = ("C1", "C2", "C3")
SIZE = (640.0, 480.0)
# HumanEva's own test set has no public 3D.
SPLITS: Mapping[str, str] = {"Train": "train", "Validate": "val"}
# Per camera: quaternion w, x, y, z (camera to world) and the camera's centre, mm; published with
# VideoPose3D (common/humaneva_dataset.py). Subjects S1 and S3 were recorded with one calibration.
FIRST_CALIBRATION = (
    (0.424207, -0.4983646, -0.5802981, 0.4847012, 4062.227, 663.2477, 1528.397),
    (0.6503354, -0.7481602, -0.0919284, 0.0941766, 844.8131, -3805.2092, 1504.9929),
    (0.0664734, -0.0690535, 0.7416416, -0.6639132, -797.67377, 3916.3174, 1433.6602),
)
SECOND_CALIBRATION = (
    (0.4214752, -0.4961493, -0.5838273, 0.4851187, 4112.9121, 626.4929, 1545.2988),
    (0.6501393, -0.7476588, -0.0954617, 0.0959808, 923.5740, -3877.9243, 1504.5518),
    (0.0699353, -0.0712403, 0.7421637, -0.662742, -781.4915, 3838.8853, 1444.9929),
)
EXTRINSICS: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "S1": FIRST_CALIBRATION,
    "S2": SECOND_CALIBRATION,
    "S3": FIRST_CALIBRATION,
}


def open_humaneva(root: Path, two_d: str = "gt", verify: bool = True) -> Recorded:
    """HumanEva-I in a folder, 15 joints (`humaneva15`); index = sequence, then camera, then frame.

    Args:
        root: the folder with data_3d_humaneva15.npz and data_2d_humaneva15_*.npz.
        two_d: "gt"; "exact", the projection of the 3D by the fitted cameras; or the end of another
            file's name.
        verify: refuse wrong units and swapped legs.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    path, target = root / "data_3d_humaneva15.npz", get_skeleton("humaneva15")
    everyone = read_3d(path, {len(target): target}, target)
    sequences = [s for s in everyone if not s.subject.startswith("Unlabeled")]
    subjects = dict.fromkeys(s.subject for s in sequences)
    if unknown := [name for name in subjects if not is_known(name)]:
        raise InputError(
            f"{path}: no calibration of {listing(unknown)}; expected Train/S1 to Validate/S3"
        )
    if verify:
        require_bodies(sequences, target, path)
    seen = [
        [(view_of(s.subject, s.name, camera), camera_row(s.subject, camera)) for camera in CAMERAS]
        for s in sequences
    ]

    def opened(name: str) -> Recorded:
        detections = read_2d(two_d_path(root, "humaneva15", name))
        layout = f"HumanEva-I, VideoPose3D npz, 2D {two_d}"
        return assemble(sequences, detections, seen, published_extrinsics(), target, layout)

    recorded = opened("gt" if two_d == "exact" else two_d)
    other = two_d not in ("gt", "exact") and (root / "data_2d_humaneva15_gt.npz").is_file()
    fitted = with_fitted_intrinsics(opened("gt") if other else recorded)
    recorded = replace(recorded, cameras=fitted.cameras)
    return replace(recorded, keypoints=None, confidence=None) if two_d == "exact" else recorded


def is_known(subject: str) -> bool:
    """Whether a name such as Train/S1 is one of the subjects with a calibration."""
    split, _, person = subject.partition("/")
    return split in SPLITS and person in EXTRINSICS


def view_of(subject: str, sequence: str, camera: str) -> View:
    """A view of 'Train/S1', 'Walking 1 chunk0'; scores are means per subject and action."""
    split, _, person = subject.partition("/")
    action = sequence.split(" ")[0]
    return View(person, action, sequence, camera, SPLITS[split], f"{person} {action}")


def camera_row(subject: str, camera: str) -> int:
    """The row of a camera in `published_extrinsics`."""
    person = list(EXTRINSICS).index(subject.partition("/")[2])
    return person * len(CAMERAS) + CAMERAS.index(camera)


def published_extrinsics() -> Camera:
    """The cameras of all subjects, one after the other; intrinsics are yet to be fitted."""
    rows = [camera for cameras in EXTRINSICS.values() for camera in cameras]
    places = torch.tensor(rows, dtype=torch.float64)
    rotation = rotation_of(places[:, :4]).mT
    translation: Tensor = -(rotation @ places[:, 4:, None])[..., 0]
    size = torch.tensor(SIZE).expand(len(places), 2)
    return replace(Camera.simple(size), rotation=rotation.float(), translation=translation.float())
