"""From evidence to poses: the answer, and the predictor round it."""

from unihpe.inference.predictor import Predictor

__all__ = ["Predictor"]
