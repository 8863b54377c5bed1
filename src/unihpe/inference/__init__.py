"""From evidence to poses: the answer, and the predictor round it."""

from unihpe.inference.predictor import Predictor
from unihpe.inference.results import Results

__all__ = ["Predictor", "Results"]
