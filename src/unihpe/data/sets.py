"""The recorded data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from unihpe.data.human36m.mmpose import mmpose_files
from unihpe.data.human36m.reader import found_layout, open_human36m, videopose3d_files
from unihpe.data.humaneva import open_humaneva
from unihpe.data.index import indexed
from unihpe.data.mpi_inf_3dhp.reader import open_mpi_inf_3dhp, packed_files
from unihpe.data.recorded import Recorded, View
from unihpe.data.threedpw import reader as threedpw
from unihpe.data.videopose3d import two_d_path

SetName = Literal["human36m", "humaneva", "mpi_inf_3dhp", "threedpw"]


def open_recorded(
    name: SetName,
    root: Path,
    keypoints: str,
    split: str | None,
    stride: int = 1,
    *,
    wanted: Callable[[View], bool] = lambda view: True,
    truth: Literal["annot3", "univ_annot3"] | None = None,
    joints: str = "",
) -> Recorded:
    """One split of a recorded set, every `stride`-th frame of each view.

    Args:
        root: the set's folder; each reader finds its layout.
        keypoints: which 2D: "gt"; "exact", projected 3D; or what the reader offers besides, such as "cpn_ft_h36m_dbb" or, for
            3DPW, "detected".
        split: train, val or test; None takes all.
        wanted: which views of these.
        truth: of MPI-INF-3DHP; None takes what the copy has.
        joints: human36m17 takes the regressed joints of 3DPW where a copy has SMPL's own as well.

    Raises:
        InputError: for what cannot be read, or a split without a frame.
    """
    match name:
        case "human36m":
            files = indexable(root, keypoints)
            key = f"human36m-{keypoints.replace('/', '-')}"
            recorded = indexed(files, key, lambda: open_human36m(root, keypoints, split=split))
        case "humaneva":
            recorded = open_humaneva(root, keypoints)
        case "mpi_inf_3dhp":
            files = packed_files(root, split)
            key = f"mpi_inf_3dhp-{truth or 'held'}-{split or 'all'}"
            recorded = indexed(files, key, lambda: open_mpi_inf_3dhp(root, truth=truth, split=split))
        case "threedpw":
            recorded = threedpw.open_layout(root, threedpw.found_layout(root, joints), keypoints, split)
    return recorded.select(lambda view: split in (None, view.split) and wanted(view), stride)


def indexable(root: Path, keypoints: str) -> list[Path]:
    """The files of a copy of Human3.6M that an index can stand for; none in layouts that are not indexed."""
    match found_layout(root):
        case "videopose3d":
            two_d = [] if keypoints == "exact" else [two_d_path(root, "h36m", keypoints)]
            return [*videopose3d_files(root), *two_d]
        case "mmpose":
            files = mmpose_files(root)
            beside = [files[0].parent / keypoints, *(folder / "cameras.pkl" for folder in files[0].parents[:2])]
            return [*files, *(file for file in beside if file.is_file())]
        case _:
            return []
