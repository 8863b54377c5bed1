"""Schedule Stage train"""

from unihpe.training.loop import train
from unihpe.training.stage import Stage
from unihpe.training.state import Schedule

__all__ = ["Schedule", "Stage", "train"]
