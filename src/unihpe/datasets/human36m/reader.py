"""Human3.6M as people have it: the files of VideoPose3D, MMPose, SPIN, h36m-fetch, H36M-Toolbox and
LCN, and the raw release.

3D is metric and comes out in camera axes, mm; 2D is in pixels of the whole picture with lens
distortion. The set's pixels have their origin within half a pixel of ours, which nobody has
published: nothing is added.
"""

from collections.abc import Callable
from pathlib import Path

from unihpe.datasets.human36m import packings, sequences
from unihpe.datasets.human36m.cameras import metadata_file
from unihpe.datasets.human36m.sequences import FEATURES, VIDEOPOSE3D
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.videopose3d import two_d_path
from unihpe.errors import InputError
from unihpe.io.files import matching


def open_human36m(
    root: Path,
    two_d: str = "gt",
    layout: str | None = None,
    verify: bool = True,
    split: str | None = None,
) -> Recorded:
    """Human3.6M in a folder, 17 joints (`human36m17`); index = sequence, then camera, then frame.

    Args:
        root: the folder with VideoPose3D's files, MMPose's `h36m`, that of SPIN's lists,
            h36m-fetch's `processed`, that of the pickles, or the raw release's with S1, S5, …
        two_d: "gt"; "exact", the projection of the 3D; or, for VideoPose3D, the end of a file name
            such as "cpn_ft_h36m_dbb", for MMPose a row-aligned .npy.
        layout: without it, it is told from the files.
        verify: refuse wrong units and swapped legs.
        split: train or test: of SPIN's lists, only that one is read; other layouts are read whole.
    """
    layout = layout or found_layout(root)
    find, open_files = LAYOUTS[layout]
    if not find(root):
        remedy = "leave the layout out to see what is expected"
        raise InputError(f"{root}: no files of the layout {layout} here; {remedy}")
    if layout not in ("videopose3d", "mmpose") and two_d not in ("gt", "exact"):
        raise InputError(f"{root}: this layout has the 2D gt and exact, not '{two_d}'")
    if layout == "spin":
        return packings.open_lists(root, two_d, verify, split)
    return open_files(root, two_d, verify)


def found_layout(root: Path) -> str:
    """The layout of the files in a folder; an InputError if it is none of those known."""
    for layout, (find, _) in LAYOUTS.items():
        if find(root):
            return layout
    if matching(root, f"S*/{FEATURES}/D3_Positions_mono"):
        half = "the release's D3_Positions_mono, but not its D3_Positions, which is read"
        raise InputError(f"{root}: {half}: unpack those archives too")
    raise InputError(
        f"{root}: no Human3.6M here: expected {VIDEOPOSE3D} (VideoPose3D),"
        " annotation_body3d/fps*/h36m_*.npz or annotation_body2d/h36m_coco_*.json (MMPose),"
        " h36m_*.npz (SPIN), S*/*/annot.h5 (h36m-fetch), h36m_train.pkl (H36M-Toolbox, LCN) or"
        f" S*/{FEATURES}/D3_Positions/*.cdf (raw)"
    )


def files_of(root: Path, layout: str, two_d: str) -> list[Path]:
    """Every file that one layout is read from: an index can stand for them."""
    files = LAYOUTS[layout][0](root)
    match layout:
        case "videopose3d" if two_d != "exact":
            return [*files, two_d_path(root, "h36m", two_d)]
        case "raw":
            flat = [] if two_d == "exact" else matching(root, f"S*/{FEATURES}/D2_Positions/*.cdf")
            return [*files, *flat, *filter(None, [metadata_file(root)])]
        case "mmpose":
            folder = files[0].parent
            detections = [folder / two_d] if (folder / two_d).is_file() else []
            return [*files, *detections, *packings.camera_files(folder)]
        case "mmpose2d":
            return [*files, *packings.camera_files(root / packings.FOLDERS[1])]
        case _:
            return files


Find = Callable[[Path], list[Path]]
Open = Callable[[Path, str, bool], Recorded]
LAYOUTS: dict[str, tuple[Find, Open]] = {
    "videopose3d": (lambda root: matching(root, VIDEOPOSE3D), sequences.open_videopose3d),
    "mmpose": (packings.mmpose_files, packings.open_mmpose),
    "mmpose2d": (packings.json_files, packings.open_json),
    "spin": (packings.list_files, packings.open_lists),
    "fetch": (packings.fetch_files, packings.open_fetch),
    "pickles": (packings.pickle_files, packings.open_pickles),
    "raw": (sequences.raw_files, sequences.open_raw),
}
