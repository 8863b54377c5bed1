"""Human3.6M: 11 actors, 4 cameras, 50 Hz; everything about it that the package asks for."""

from dataclasses import replace
from pathlib import Path

from unihpe.datasets.counts import Split, Whole
from unihpe.datasets.dataset import DataSet, Reading, Recording
from unihpe.datasets.human36m import views
from unihpe.datasets.human36m.cameras import Human36mCamera
from unihpe.datasets.human36m.reader import LAYOUTS, files_of, found_layout, open_human36m
from unihpe.datasets.protocol import packaged_protocols
from unihpe.datasets.recorded import Recorded
from unihpe.datasets.videopose3d import first_2d
from unihpe.io.files import matching


def _read(root: Path, asked: Reading) -> Recorded:
    return open_human36m(root, asked.keypoints, asked.layout, asked.verify, asked.split)


def _index(root: Path, reading: Reading) -> tuple[str, list[Path]]:
    """An index stands for all splits, but of SPIN's lists, which are read one by one."""
    layout = found_layout(root)
    words = ["human36m", reading.keypoints.replace("/", "-")]
    words += [reading.split] if reading.split and layout == "spin" else []
    return "-".join(words), files_of(root, layout, reading.keypoints)


def _best_2d(root: Path, layout: str | None) -> str:
    """True 2D, else whichever VideoPose3D's layout has; a raw release may have none."""
    layout = layout or found_layout(root)
    if layout == "videopose3d":
        return first_2d(root, "h36m")
    lacking = layout == "raw" and not matching(root, "S*/MyPoseFeatures/D2_Positions")
    return "exact" if lacking else "gt"


def _unit(layout: str) -> str:
    """The release and what keeps its numbers is in mm; VideoPose3D's, MMPose's and SPIN's in m."""
    return "mm" if any(word in layout for word in ("raw release", "h36m-fetch", "pickles")) else "m"


# Sources: the toolkits and papers that quote the figures.
TEST_COPIES = (
    Whole(566_920, "with S11 Directions, as LCN and MotionBERT"),
    Whole(565_446, "with S11 Directions, short of frames of its broken video", slack=1_474),
    Whole(543_344, "without S11 Directions, as VideoPose3D"),
)
KNOWN = {
    "train": Split((Whole(1_559_752, "all five subjects"),), views.TRAIN_SUBJECTS, 4, (150,)),
    "test": Split(TEST_COPIES, views.TEST_SUBJECTS, 4, (59, 60)),
}
PROTOCOLS = tuple(
    replace(one, condition=lambda view: not views.second_take(view))
    if one.condition_words == "first takes only"
    else one
    for one in packaged_protocols("human36m")
)
RECORDING = Recording(
    _read,
    tuple(LAYOUTS),
    median_px=0.5,
    known=KNOWN,
    unit=_unit,
    best_2d=_best_2d,
    thinned=("h36m-fetch", "SPIN"),
    pictures=views.pictures,
    videos=views.videos,
    index=_index,
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
