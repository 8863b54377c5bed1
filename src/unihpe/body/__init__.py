"""People as numbers: joints, cameras, boxes, batches, metrics."""

from unihpe.body.batch import Batch, Frames, Modality
from unihpe.body.camera import Camera
from unihpe.body.conversions import convert
from unihpe.body.metrics import mpjve
from unihpe.body.skeleton import Skeleton, get_skeleton

__all__ = ["Batch", "Camera", "Frames", "Modality", "Skeleton", "convert", "get_skeleton", "mpjve"]
