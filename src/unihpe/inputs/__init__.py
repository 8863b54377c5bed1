"""What people hand in: keypoint files, boxes, pictures, arrays, cameras; read and checked."""

from unihpe.inputs.boxes import read_boxes
from unihpe.inputs.calibration import Lens, read_lens
from unihpe.inputs.detections import Hints
from unihpe.inputs.keypoint_files import read_keypoints
from unihpe.inputs.keypoints import Keypoints

__all__ = ["Hints", "Keypoints", "Lens", "read_boxes", "read_keypoints", "read_lens"]
