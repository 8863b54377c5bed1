"""Human3.6M as people have it: the files of VideoPose3D, MMPose, SPIN, h36m-fetch, H36M-Toolbox and
LCN, and the raw release.

3D is metric and comes out in camera axes, mm; 2D is in pixels of the whole picture with lens
distortion. The set's pixels have their origin within half a pixel of ours, which nobody has
published: nothing is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.human36m.cameras import (
    EXTRINSICS,
    INTRINSICS,
    Human36mCamera,
    published_cameras,
)
from unihpe.datasets.human36m.coco import coco_files, open_coco
from unihpe.datasets.human36m.metadata import metadata_file, read_metadata
from unihpe.datasets.human36m.mmpose import camera_files, mmpose_files, open_mmpose
from unihpe.datasets.human36m.raw import FEATURES, raw_2d, raw_files, read_raw_3d, with_2d
from unihpe.datasets.human36m.rows import fetch_files, open_fetch, open_pickles, pickle_files
from unihpe.datasets.human36m.spin import open_spin, spin_files
from unihpe.datasets.human36m.views import raw_skeleton, view_of
from unihpe.datasets.matching import matching
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.videopose3d import (
    Detections,
    Sequence3D,
    assemble,
    read_2d,
    read_3d,
    require_bodies,
    two_d_path,
)
from unihpe.errors import InputError, listing

Layout = Literal["videopose3d", "mmpose", "mmpose2d", "spin", "fetch", "pickles", "raw"]


def videopose3d_files(root: Path) -> list[Path]:
    """VideoPose3D's 3D file in a folder."""
    return [path] if (path := root / "data_3d_h36m.npz").is_file() else []


FILES: dict[Layout, Callable[[Path], list[Path]]] = {
    "videopose3d": videopose3d_files,
    "mmpose": mmpose_files,
    "mmpose2d": coco_files,
    "spin": spin_files,
    "fetch": fetch_files,
    "pickles": pickle_files,
    "raw": raw_files,
}


def open_human36m(
    root: Path,
    two_d: str = "gt",
    layout: Layout | None = None,
    verify: bool = True,
    split: str | None = None,
) -> Recorded:
    """Human3.6M in a folder, 17 joints (`human36m17`); index = sequence, then camera, then frame.

    Args:
        root: the folder with VideoPose3D's files, MMPose's `h36m` folder, that of SPIN's lists,
            h36m-fetch's `processed`, that of the pickles, or the one that holds S1, S5, … of the
            raw release.
        two_d: "gt"; "exact", the projection of the 3D; or, for VideoPose3D, the end of a file name
            such as "cpn_ft_h36m_dbb", for MMPose a row-aligned .npy. Other joint sets are converted
            by name.
        layout: without it, it is told from the files.
        verify: refuse wrong units and swapped legs.
        split: train or test: of SPIN's lists, only that one is read; other layouts are read whole.
            None is all.

    Raises:
        InputError: for what cannot be read, with the reason.
    """
    if layout is not None and not FILES[layout](root):
        raise InputError(
            f"{root}: no files of the layout {layout} here; leave the layout out to see what is expected"
        )
    match layout or found_layout(root):
        case "videopose3d":
            path = root / "data_3d_h36m.npz"
            sequences = read_3d(
                path,
                {32: raw_skeleton(), 17: get_skeleton("human36m17")},
                get_skeleton("human36m17"),
            )
            detections = None if two_d == "exact" else read_2d(two_d_path(root, "h36m", two_d))
            return in_world(
                sequences, detections, path, f"Human3.6M, VideoPose3D npz, 2D {two_d}", verify
            )
        case "raw":
            sequences, notes = read_raw_3d(root), tuple[str, ...]()
            if two_d == "gt":
                sequences, notes = with_2d(root, sequences)
            detections = None if two_d == "exact" else raw_2d(root, sequences, two_d)
            if verify:
                require_bodies(sequences, get_skeleton("human36m17"), root, "mm")
            metadata = metadata_file(root)
            cameras = published_cameras() if metadata is None else read_metadata(metadata)
            layout_name = (
                f"Human3.6M, raw release{'' if metadata is None else ', metadata.xml'}, 2D {two_d}"
            )
            return in_world(
                in_metres(sequences), detections, root, layout_name, False, cameras, notes
            )
        case "mmpose":
            return open_mmpose(root, two_d, verify)
        case "mmpose2d":
            return open_coco(root, two_d, verify)
        case "spin":
            return open_spin(root, two_d, verify, split)
        case "fetch":
            return open_fetch(root, two_d, verify)
        case "pickles":
            return open_pickles(root, two_d, verify)


def found_layout(root: Path) -> Layout:
    """The layout of the files in a folder.

    Raises:
        InputError: if it is none of those known.
    """
    for layout, find in FILES.items():
        if find(root):
            return layout
    if matching(root, "S*/MyPoseFeatures/D3_Positions_mono"):
        raise InputError(
            f"{root}: the release's D3_Positions_mono, but not its D3_Positions, which is read: unpack those archives too"
        )
    raise InputError(
        f"{root}: no Human3.6M here: expected data_3d_h36m.npz (VideoPose3D), annotation_body3d/fps*/h36m_*.npz or"
        " annotation_body2d/h36m_coco_*.json (MMPose), h36m_*.npz (SPIN), S*/*/annot.h5 (h36m-fetch), h36m_train.pkl"
        " (H36M-Toolbox, LCN) or S*/MyPoseFeatures/D3_Positions/*.cdf (raw)"
    )


def files_of(root: Path, layout: Layout, two_d: str) -> list[Path]:
    """Every file that one layout is read from: an index can stand for them."""
    files = FILES[layout](root)
    match layout:
        case "videopose3d":
            return files if two_d == "exact" else [*files, two_d_path(root, "h36m", two_d)]
        case "raw":
            metadata = metadata_file(root)
            flat = [] if two_d == "exact" else matching(root, f"S*/{FEATURES}/D2_Positions/*.cdf")
            return [*files, *flat, *([metadata] if metadata else [])]
        case "mmpose":
            beside = [files[0].parent / two_d, *camera_files(files[0].parent)]
            return [*files, *(file for file in beside if file.is_file())]
        case "mmpose2d":
            return [*files, *camera_files(root / "annotation_body3d" / "fps50")]
        case _:
            return files


def in_metres(sequences: list[Sequence3D]) -> list[Sequence3D]:
    """Sequences in millimetres, as the release has them, in metres."""
    return [replace(sequence, poses=sequence.poses / 1000) for sequence in sequences]


def in_world(
    sequences: list[Sequence3D],
    detections: Detections | None,
    path: Path,
    layout: str,
    verify: bool,
    calibration: tuple[dict[tuple[str, str], int], Human36mCamera] | None = None,
    notes: tuple[str, ...] = (),
) -> Recorded:
    """Sequences in world axes, metres, each seen by four cameras: the published ones, or those given."""
    rows, cameras = calibration or published_cameras()
    if strange := {s.subject for s in sequences} - set(EXTRINSICS):
        raise InputError(
            f"{path}: no calibration of {listing(sorted(strange))}; the set has 3D of {', '.join(EXTRINSICS)}"
        )
    target = get_skeleton("human36m17")
    if verify:
        require_bodies(sequences, target, path)
    views = [[view_of(s.subject, s.name, camera) for camera in INTRINSICS] for s in sequences]
    camera_rows = [[rows[s.subject, camera] for camera in INTRINSICS] for s in sequences]
    return assemble(sequences, detections, views, camera_rows, cameras, target, layout, notes)
