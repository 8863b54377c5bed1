"""Human3.6M: 11 actors, 4 cameras, 50 Hz; everything about it that the package asks for."""

from pathlib import Path
from typing import Any, get_args

from unihpe.datasets.counts import Split, Whole
from unihpe.datasets.dataset import DataSet, Reading, Recording
from unihpe.datasets.human36m.cameras import Human36mCamera
from unihpe.datasets.human36m.protocols import PROTOCOLS
from unihpe.datasets.human36m.reader import LAYOUTS, Layout, files_of, found_layout, open_human36m
from unihpe.datasets.human36m.views import TEST_SUBJECTS, TRAIN_SUBJECTS, pictures, videos
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.videopose3d import first_2d
from unihpe.io.files import matching


def read(root: Path, reading: Reading) -> Recorded:
    """The set in whichever layout the folder has it."""
    layout: Any = reading.layout or found_layout(root)
    return open_human36m(root, reading.keypoints, layout, reading.verify, reading.split)


def index(root: Path, reading: Reading) -> tuple[str, list[Path]]:
    """An index stands for all splits, but of SPIN's lists, which are read one by one."""
    layout = found_layout(root)
    words = ["human36m", reading.keypoints.replace("/", "-")]
    words += [reading.split] if reading.split and layout == "spin" else []
    return "-".join(words), files_of(root, layout, reading.keypoints)


def best_2d(root: Path, layout: str | None) -> str:
    """True 2D, else whichever VideoPose3D's layout has; a raw release may have none."""
    match layout or found_layout(root):
        case "raw":
            there = matching(root, "S*/MyPoseFeatures/D2_Positions")
            return "gt" if there else "exact"
        case "videopose3d":
            return first_2d(root, "h36m")
        case _:
            return "gt"


def unit(layout: str) -> str:
    """The release and what keeps its numbers is in mm; VideoPose3D's, MMPose's and SPIN's in m."""
    return "mm" if any(word in layout for word in ("raw release", "h36m-fetch", "pickles")) else "m"


# Sources: the toolkits and papers that quote the figures.
TEST_COPIES = (
    Whole(566_920, "with S11 Directions, as LCN and MotionBERT"),
    Whole(565_446, "with S11 Directions, short of frames of its broken video", slack=1_474),
    Whole(543_344, "without S11 Directions, as VideoPose3D"),
)
KNOWN = {
    "train": Split((Whole(1_559_752, "all five subjects"),), TRAIN_SUBJECTS, 4, (150,)),
    "test": Split(TEST_COPIES, TEST_SUBJECTS, 4, (59, 60)),
}
RECORDING = Recording(
    read,
    get_args(Layout),
    median_px=0.5,
    known=KNOWN,
    unit=unit,
    best_2d=best_2d,
    thinned=("h36m-fetch", "SPIN"),
    pictures=pictures,
    videos=videos,
    index=index,
    lens=Human36mCamera,
)
DATA_SET = DataSet(
    "human36m",
    "vision.imar.ro/human3.6m; VideoPose3D's and MMPose's packagings",
    "academic, by agreement",
    RECORDING.source,
    lambda root: [file for find, _ in LAYOUTS.values() for file in find(root)],
    RECORDING,
    protocols=PROTOCOLS,
)
