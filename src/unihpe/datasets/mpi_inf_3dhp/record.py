"""MPI-INF-3DHP: 8 actors, 14 cameras, a test set of its own; all that the package asks for."""

from pathlib import Path
from typing import Any, get_args

from unihpe.datasets.counts import Split, Whole
from unihpe.datasets.dataset import DataSet, Reading, Recording
from unihpe.datasets.mpi_inf_3dhp.reader import Layout, files_of_3dhp, open_mpi_inf_3dhp
from unihpe.datasets.mpi_inf_3dhp.views import USABLE
from unihpe.datasets.protocol import packaged_protocols
from unihpe.datasets.recorded import Recorded, View


def _read(root: Path, reading: Reading) -> Recorded:
    layout: Any = reading.layout  # this and `truth` are checked there
    given: Any = {"split": reading.split, "two_d": reading.keypoints, "truth": reading.truth}
    return open_mpi_inf_3dhp(root, layout, verify=reading.verify, **given)


def _index(root: Path, reading: Reading) -> tuple[str, list[Path]]:
    words = reading.keypoints, reading.truth or "held", reading.split or "all"
    return "-".join(("mpi_inf_3dhp", *words)), files_of_3dhp(root, reading.split)


def _calibration(layout: str) -> str:
    if "MMPose" in layout:
        return "the packing's own"
    if "P-STMO" in layout or "SPIN" in layout:
        return "published lenses"
    halves = {"training set": "the set's own (training)", "test set": "pinholes fitted (test)"}
    return ", ".join(words for half, words in halves.items() if half in layout)


def _pictures(view: View, frame: int) -> list[str]:
    """SPIN's, VIBE's and MMPose's names and the test set's own; frames count from 1."""
    number = frame + 1
    if view.split == "test":
        inner = f"{view.sequence}/imageSequence/img_{number:06d}.jpg"
        flat = f"images/{view.sequence}_{number:06d}.jpg"
        return [inner, f"mpi_inf_3dhp_test_set/{inner}", f"test/{inner}", flat]
    base, file = f"{view.subject}/{view.sequence}", f"video_{view.camera}/frame_{number:06d}.jpg"
    flat = f"images/{view.subject}_{view.sequence}_Cam{view.camera}_{number:06d}.jpg"
    inner = f"{base}/imageFrames/{file}"
    return [inner, f"{base}/{file}", flat, f"train/{inner}"]


def _videos(view: View, frame: int) -> list[str]:
    """The training set's own; the test set has pictures."""
    video = f"{view.subject}/{view.sequence}/imageSequence/video_{view.camera}.avi"
    return [video, f"train/{video}"] if view.split == "train" else []


TEST_COPIES = (
    Whole(2929, "valid frames, TS6 with 452"),
    Whole(2869, "valid frames, TS6 with 392 (an earlier release)"),
    Whole(2876, "valid frames whose joints lie in the picture (ZeDO)", slack=1),
    Whole(24_888, "all frames, invalid ones too (MMPose's test_all)"),
)
FILMED = Whole(sum(USABLE.values()), "frames with video", per_camera=True)
TESTED = tuple(f"TS{n}" for n in range(1, 7))
KNOWN = {
    "train": Split((FILMED,), tuple(f"S{n}" for n in range(1, 9)), 8, (16,)),
    "test": Split(TEST_COPIES, TESTED, sequences=(6,), chosen=True),
}
RECORDING = Recording(
    _read,
    get_args(Layout),
    median_px=4.0,
    known=KNOWN,
    # the release and P-STMO's files are in mm
    unit=lambda layout: "m" if "MMPose" in layout or "SPIN" in layout else "mm",
    calibration=_calibration,
    thinned=("SPIN",),
    pictures=_pictures,
    videos=_videos,
    index=_index,
)
DATA_SET = DataSet(
    "mpi_inf_3dhp",
    "vcai.mpi-inf.mpg.de/3dhp-dataset",
    "research only",
    RECORDING.source,
    lambda root: files_of_3dhp(root, None),
    RECORDING,
    protocols=packaged_protocols("mpi_inf_3dhp"),
)
