"""What people hand in: keypoint files, boxes, pictures, clips, cameras; read and checked."""

from unihpe.inputs.boxes import read_boxes
from unihpe.inputs.calibration import Lens, read_lens
from unihpe.inputs.detections import Hints
from unihpe.inputs.keypoint_files import read_keypoints
from unihpe.inputs.keypoints import Keypoints
from unihpe.inputs.media import Clip, Shown, is_clip, open_clip

__all__ = [
    "Clip",
    "Hints",
    "Keypoints",
    "Lens",
    "Shown",
    "is_clip",
    "open_clip",
    "read_boxes",
    "read_keypoints",
    "read_lens",
]
