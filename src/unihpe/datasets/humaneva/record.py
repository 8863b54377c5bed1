"""HumanEva-I: 3 actors, 3 cameras, 60 Hz; everything about it that the package asks for."""

from unihpe.datasets.counts import Split
from unihpe.datasets.dataset import DataSet, Recording
from unihpe.datasets.humaneva.reader import open_humaneva
from unihpe.datasets.protocol import packaged_protocols
from unihpe.datasets.videopose3d import first_2d

SUBJECTS = ("S1", "S2", "S3")  # frames: only a round sum is quoted
RECORDING = Recording(
    lambda root, reading: open_humaneva(root, reading.keypoints, reading.verify),
    ("videopose3d",),
    median_px=3.0,
    known=dict.fromkeys(("train", "val"), Split((), SUBJECTS, 3)),
    calibration=lambda layout: "places the set's own, pinholes fitted",
    best_2d=lambda root, layout: first_2d(root, "humaneva15"),
)
DATA_SET = DataSet(
    "humaneva",
    "humaneva.is.tue.mpg.de; VideoPose3D's packaging",
    "research, by agreement",
    RECORDING.source,
    lambda root: list(root.glob("data_3d_humaneva15.npz")),
    RECORDING,
    protocols=packaged_protocols("humaneva"),
)
