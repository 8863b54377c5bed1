"""The recorded data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from unihpe.datasets.human36m.reader import files_of, found_layout, open_human36m
from unihpe.datasets.humaneva.reader import open_humaneva
from unihpe.datasets.index import indexed
from unihpe.datasets.mpi_inf_3dhp.reader import files_of_3dhp, open_mpi_inf_3dhp
from unihpe.datasets.recorded import Recorded, View
from unihpe.datasets.threedpw import reader as threedpw

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
        keypoints: which 2D: "gt"; "exact", projected 3D; or what the reader offers besides, such as
            "cpn_ft_h36m_dbb" or, for 3DPW, "detected".
        split: train, val or test; None takes all.
        wanted: which views of these.
        truth: of MPI-INF-3DHP; None takes what the copy has.
        joints: human36m17 takes the regressed joints of 3DPW where a copy has SMPL's own as well.

    Raises:
        InputError: for what cannot be read, or a split without a frame.
    """
    match name:
        case "human36m":
            layout = found_layout(root)
            key = "-".join(
                (
                    "human36m",
                    keypoints.replace("/", "-"),
                    *([split] if split and layout == "spin" else []),
                )
            )
            files = files_of(root, layout, keypoints)
            recorded = indexed(
                root, files, key, lambda: open_human36m(root, keypoints, layout, split=split)
            )
        case "humaneva":
            recorded = open_humaneva(root, keypoints)
        case "mpi_inf_3dhp":
            key = "-".join(("mpi_inf_3dhp", keypoints, truth or "held", split or "all"))
            recorded = indexed(
                root,
                files_of_3dhp(root, split),
                key,
                lambda: open_mpi_inf_3dhp(root, truth=truth, split=split, two_d=keypoints),
            )
        case "threedpw":
            recorded = threedpw.open_layout(
                root, threedpw.found_layout(root, joints), keypoints, split
            )
    return recorded.select(lambda view: split in (None, view.split) and wanted(view), stride)
